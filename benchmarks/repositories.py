"""Writes the configuration repositories of the workloads W1, W2 and W3: what a user would commit for them.

    python benchmarks/repositories.py FOLDER CSV POSTGRES_URL API_URL

W1 is a bulk import of a CSV of 1,000,000 rows and 20 columns, with casts, lookups and checks, into PostgreSQL by key;
`again` is the same of files that changed.
W2 is an API sync of 2,000 pages of 100 nested records by cursor; `child` is its variant of one request for the detail
of each of 2,000 parents. W3 is 200 tiny syncs.
"""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import urlsplit

TENANT = """\
apiVersion: syncline/v1
kind: Tenant
metadata: {name: bench}
spec: {title: Benchmarks, egress: {private: [127.0.0.1]}}
"""

WAREHOUSE = """\
apiVersion: syncline/v1
kind: AuthConfig
metadata: {name: warehouse, tenant: bench}
spec: {type: basic, username: "%(user)s", password: {secretRef: {provider: env, key: BENCH_PASSWORD}}}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: warehouse, tenant: bench}
spec:
  connector: postgresql@^1
  auth: warehouse
  config: {url: "%(url)s", schema: %(schema)s}
"""

W1 = """\
apiVersion: syncline/v1
kind: Integration
metadata: {name: crm, tenant: bench}
spec:
  connector: file@^1
  config: {root: "%(folder)s"}
  streams: {customers: {files: "%(file)s", key: [cust_id]}}
---
apiVersion: syncline/v1
kind: Mapping
metadata: {name: customer, tenant: bench}
spec:
  key: [id]
  fields:
  - {to: id, from: cust_id, type: integer, required: true}
  - {to: first_name, from: first}
  - {to: last_name, from: last, required: true}
  - {to: full_name, from: "join(' ', [first, last])"}
  - {to: email, from: mail, required: true, check: {pattern: '[^@\\s]+@[^@\\s]+\\.[^@\\s]+'}}
  - {to: phone, from: tel, default: n/a}
  - {to: country, from: upper(ctry)}
  - {to: city, from: town}
  - {to: street, from: street}
  - {to: postal_code, from: zip}
  - {to: birth_date, from: born, type: date, format: "%%d/%%m/%%Y", required: true}
  - {to: signup_date, from: signup, type: date, required: true}
  - {to: last_seen, from: last_seen, type: timestamp, required: true}
  - {to: balance, from: bal, type: "decimal(14,2)", required: true}
  - {to: credit_limit, from: credit, type: int32, default: 0}
  - {to: score, from: score, type: int32, required: true, check: {min: 0, max: 100}}
  - {to: status, from: st, lookup: {A: active, P: pending, S: suspended, C: closed}, required: true}
  - {to: tier, from: tier, lookup: {"1": bronze, "2": silver, "3": gold, "4": platinum}, default: bronze}
  - {to: opted_in, from: optin, type: boolean}
  - {to: note, from: note}
  - {to: reference, from: ref}
---
apiVersion: syncline/v1
kind: Import
metadata: {name: customers, tenant: bench}
spec: {from: crm/customers, mapping: customer, to: warehouse/customers, write: upsert, guards: {maxRejects: 2%%}}
"""

RECORD = """\
          id: {type: integer}
          type: {type: string}
          created_at: {type: string}
          updated_at: {type: string}
          status: {type: string}
          currency: {type: string}
          total: {type: number}
          customer:
            type: object
            properties:
              id: {type: integer}
              name: {type: string}
              email: {type: string}
              address:
                type: object
                properties:
                  {country: {type: string}, city: {type: string}, street: {type: string}, zip: {type: string}}
          note: {type: string}
          flags: {type: array, items: {type: string}}
          shipping: {type: object, properties: {method: {type: string}, tracking: {type: string}, cost: {type: number}}}
          score: {type: integer}
"""

W2 = """\
apiVersion: syncline/v1
kind: Connector
metadata: {name: shop}
spec:
  version: 1.0.0
  config: {properties: {url: {format: uri}}, required: [url]}
  http: {url: "{{ config.url }}"}
  streams:
    items:
      get: /items
      records: data[]
      key: [id]
      page: {cursor: next_cursor, into: query.cursor}
      schema:
        properties:
%(record)s
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: shop, tenant: bench}
spec: {connector: shop@^1, config: {url: "%(api)s"}}
---
apiVersion: syncline/v1
kind: Mapping
metadata: {name: item, tenant: bench}
spec:
  key: [id]
  fields:
  - {to: id, from: id, type: integer, required: true}
  - {to: type, from: type}
  - {to: created_at, from: created_at, type: timestamp, required: true}
  - {to: updated_at, from: updated_at, type: timestamp}
  - {to: status, from: status}
  - {to: currency, from: currency}
  - {to: total, from: total, type: "decimal(14,2)"}
  - {to: customer_id, from: customer.id, type: integer}
  - {to: customer_name, from: customer.name}
  - {to: customer_email, from: customer.email, check: {pattern: ".*@?.*"}}
  - {to: country, from: upper(customer.address.country)}
  - {to: city, from: customer.address.city}
  - {to: street, from: customer.address.street}
  - {to: zip, from: customer.address.zip}
  - {to: note, from: note}
  - {to: flags, from: flags, type: json}
  - {to: ship_method, from: shipping.method}
  - {to: ship_tracking, from: shipping.tracking}
  - {to: ship_cost, from: shipping.cost, type: "decimal(10,2)"}
  - {to: score, from: score, type: int32}
---
apiVersion: syncline/v1
kind: Sync
metadata: {name: items, tenant: bench}
spec: {from: shop/items, mapping: item, to: warehouse/items, write: upsert}
"""

CHILD_STREAMS = """\
    parents:
      get: /parents
      records: data[]
      key: [id]
      page: {cursor: next_cursor, into: query.cursor}
      schema: {properties: {id: {type: integer}}}
    items:
      for: {each: parents, as: parent}
      get: /parents/{{ parent.id }}/detail
      key: [id]
      schema:
"""

W3_HEAD = """\
apiVersion: syncline/v1
kind: Connector
metadata: {name: tiny}
spec:
  version: 1.0.0
  config: {properties: {url: {format: uri}}, required: [url]}
  http: {url: "{{ config.url }}"}
  streams:
%(streams)s
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: tiny, tenant: bench}
spec: {connector: tiny@^1, config: {url: "%(api)s"}}
---
apiVersion: syncline/v1
kind: Mapping
metadata: {name: tiny, tenant: bench}
spec:
  key: [id]
  fields:
  - {to: id, from: id, type: integer, required: true}
  - {to: type, from: type}
  - {to: created_at, from: created_at, type: timestamp}
  - {to: status, from: status}
  - {to: total, from: total, type: "decimal(14,2)"}
  - {to: customer_id, from: customer.id, type: integer}
  - {to: customer_name, from: customer.name}
  - {to: email, from: customer.email}
  - {to: country, from: upper(customer.address.country)}
  - {to: note, from: note}
  - {to: score, from: score, type: int32}
"""

W3_STREAM = """\
    tiny%(n)d:
      get: /tiny/%(n)d
      records: data[]
      key: [id]
      schema:
        properties:
%(record)s"""

W3_SYNC = """\
---
apiVersion: syncline/v1
kind: Sync
metadata: {name: tiny-%(n)d, tenant: bench}
spec: {from: tiny/tiny%(n)d, mapping: tiny, to: warehouse/tiny, write: upsert}
"""

TINY = 200
_W2_STREAM = W2[W2.index("    items:\n") : W2.index("        properties:\n")]


def write(folder: Path, csv: Path, postgres: str, api: str) -> None:
    """One repository a workload, each with its own schema in PostgreSQL: `bench_` and its name."""
    parts = urlsplit(postgres)
    url = f"postgresql://{parts.hostname}:{parts.port or 5432}{parts.path}"
    streams = "".join(W3_STREAM % {"n": n, "record": RECORD} for n in range(1, TINY + 1))
    bodies = {
        "w1": W1 % {"folder": csv.parent, "file": csv.name},
        "again": (W1 % {"folder": csv.parent, "file": csv.name}).replace(
            "write: upsert", "read: changed, write: upsert"
        ),
        "w2": W2 % {"record": RECORD, "api": api},
        "child": (W2 % {"record": RECORD, "api": api}).replace(_W2_STREAM, CHILD_STREAMS),
        "w3": W3_HEAD % {"streams": streams, "api": api} + "".join(W3_SYNC % {"n": n} for n in range(1, TINY + 1)),
    }
    for name, body in bodies.items():
        repository = folder / name
        repository.mkdir(parents=True, exist_ok=True)
        (repository / "tenant.yaml").write_text(TENANT)
        warehouse = WAREHOUSE % {"user": parts.username or "postgres", "url": url, "schema": f"bench_{name}"}
        (repository / "warehouse.yaml").write_text(warehouse)
        (repository / f"{name}.yaml").write_text(body)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    write(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4])
