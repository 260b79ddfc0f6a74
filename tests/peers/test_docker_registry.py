"""Docker's registry: pages by Link headers, whose URL is a path, and a stream below each repository."""

from __future__ import annotations

from tests.peers.house import Flow, house

REPOSITORIES = Flow("repositories", ("to: name, from: name, required: true",), key="name")
TAGS = Flow("tags", ("to: name, from: name, required: true", "to: tag, from: tags, required: true"), key="name, tag")


def test_pages_by_link_headers(tmp_path, docker_registry, warehouse):
    """Every page of the catalogue is asked for by the URL of its Link header, and tags are read of each repository on them."""
    names = ["alone", "team/api", "team/web", "tools/lint", "zoo"]
    for name in names:
        docker_registry.push(name, "v1")
    docker_registry.push("team/web", "v2")
    made = house(
        tmp_path, "docker-registry", {"url": docker_registry.url}, REPOSITORIES, TAGS, quick=True, warehouse=warehouse
    )

    assert made.run("repositories")["inserted"] == len(names)
    assert [name for (name,) in made.rows("SELECT name FROM repositories ORDER BY name")] == names
    assert made.run("tags")["inserted"] == len(names) + 1
    assert made.rows("SELECT tag FROM tags WHERE name = 'team/web' ORDER BY tag") == [("v1",), ("v2",)]
    made.proved()


def test_it_is_tried_before_anything_is_applied(tmp_path, docker_registry):
    """`connector check`, `discover` and `sample` against a real system: who answers, what is declared, what comes."""
    docker_registry.push("looked/at", "v7")
    made = house(tmp_path, "docker-registry", {"url": docker_registry.url}, REPOSITORIES, TAGS, quick=True)

    assert "status 200" in made.ok("connector", "check", "acme/api")
    assert "not declared" not in made.ok("connector", "discover", "acme/api", "--exit-code")
    assert "looked/at" in made.ok("connector", "sample", "acme/api", "tags", "--limit", "100")
    made.proved()
