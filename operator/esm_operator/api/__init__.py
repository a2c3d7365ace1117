"""The custom resources: models, fields, names, rules, reasons, CRDs. Imports no other package."""
