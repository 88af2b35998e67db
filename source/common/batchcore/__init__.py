"""What the functions and the client agree on: ids, keys, records, schema, table items.

Shipped to AWS as the layer of every function and installed beside `batchops`, so there is one
definition of each contract. Nothing here knows a column's name; `batchcore.schema` reads them
from the schema file.
"""
