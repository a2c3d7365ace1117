"""The custom resources: models, fields, names, rules, reasons. Imports no other package of the operator."""
