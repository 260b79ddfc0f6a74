import click
@click.command(short_help="run")
def run() -> None:
    """run."""
