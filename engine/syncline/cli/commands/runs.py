import click
@click.command(short_help="runs")
def runs() -> None:
    """runs."""
