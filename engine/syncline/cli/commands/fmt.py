import click
@click.command(short_help="fmt")
def fmt() -> None:
    """fmt."""
