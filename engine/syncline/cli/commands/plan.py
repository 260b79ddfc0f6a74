import click
@click.command(short_help="plan")
def plan() -> None:
    """plan."""
