import click
@click.command(short_help="audit")
def audit() -> None:
    """audit."""
