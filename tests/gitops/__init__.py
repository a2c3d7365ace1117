"""What Argo CD, Flux and people with kubectl see of the resources, by those tools' own rules."""
