import click
@click.command(short_help="init")
def init() -> None:
    """init."""
