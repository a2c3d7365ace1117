"""Tests of the health of resources in Argo CD, Flux and kubectl, by the rules of these tools."""
