"""Reconciles one resource: builds its plan, executes the actions and writes its status."""
