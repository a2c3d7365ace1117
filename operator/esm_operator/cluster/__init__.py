"""The Kubernetes client and the caches of watched objects, the Lease, Events and usage finalizers."""
