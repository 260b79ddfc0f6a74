import click
@click.command(short_help="lineage")
def lineage() -> None:
    """lineage."""
