"""What the functions and the client agree on: ids, keys, records, schema, table items.

Shipped to AWS as the layer of every function and installed beside `batchops`, so there is one
definition of each contract. No code here names a column: `batchcore.schema` reads the names from
the schema file.
"""
