import click
@click.command(short_help="get")
def get() -> None:
    """get."""
