import click
@click.command(short_help="apply")
def apply() -> None:
    """apply."""
