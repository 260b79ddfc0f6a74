import click
@click.command(short_help="doctor")
def doctor() -> None:
    """doctor."""
