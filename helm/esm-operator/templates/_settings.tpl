{{- /* Whether the operator can list namespaces: "true" or empty. */ -}}
{{- define "esm-operator.watchNamespaceLabels" -}}
{{- if kindIs "bool" .Values.watchNamespaceLabels }}
{{- if .Values.watchNamespaceLabels }}true{{ end }}
{{- else if eq .Values.scope "cluster" }}true
{{- else }}
{{- range $spec := .Values.providerConfigs }}
{{- if $spec.namespaceSelector }}true{{ end }}
{{- end }}
{{- end }}
{{- end }}

{{- /* The arguments of the operator, as a list. */ -}}
{{- define "esm-operator.arguments" -}}
{{- $flags := dict
  "cluster-name" .Values.clusterName
  "region" .Values.region
  "more-regions" (join "," .Values.moreRegions)
  "endpoint-url" .Values.endpointURL
  "namespaces" (join "," .Values.namespaces)
  "namespace-selector" .Values.namespaceSelector
  "selector" .Values.selector
  "takeover-from-clusters" (join "," .Values.takeoverFromClusters)
  "requests-per-second" .Values.requestsPerSecond
  "targets-per-namespace" .Values.targetsPerNamespace
  "max-targets" .Values.maxTargets
  "max-mappings" .Values.maxMappings
  "kubernetes-requests-per-second" .Values.kubernetesRequestsPerSecond
  "deletions-per-minute" .Values.deletionsPerMinute
  "sweep-interval" .Values.sweepInterval
  "tag-sweep-interval" .Values.tagSweepInterval
  "operator-credentials" .Values.operatorCredentials
  "ownership" .Values.ownership
  "lease-name" (include "esm-operator.leaseName" .)
  "lease-namespace" (include "esm-operator.leaseNamespace" .)
  "lease-duration" .Values.leaderElection.leaseDuration
  "probe-address" (printf ":%v" .Values.probePort)
  "metrics-address" (printf ":%v" .Values.metrics.port)
  "log-format" .Values.logFormat
  "log-level" .Values.logLevel
}}
{{- $arguments := list "run" }}
{{- range $name, $value := $flags }}
{{- if toString $value }}
{{- $arguments = append $arguments (printf "--%s=%s" $name (toString $value)) }}
{{- end }}
{{- end }}
{{- range $key, $value := .Values.defaultTags }}
{{- $arguments = append $arguments (printf "--default-tags=%s=%s" $key $value) }}
{{- end }}
{{- if not (include "esm-operator.watchNamespaceLabels" .) }}
{{- $arguments = append $arguments "--no-watch-namespace-labels" }}
{{- end }}
{{- if include "esm-operator.metricsSecret" . }}
{{- $arguments = append $arguments "--metrics-certificate-file=/etc/esm-operator/metrics-tls/tls.crt" }}
{{- $arguments = append $arguments "--metrics-key-file=/etc/esm-operator/metrics-tls/tls.key" }}
{{- end }}
{{- if .Values.metrics.authentication }}
{{- $arguments = append $arguments "--metrics-authentication" }}
{{- end }}
{{- if .Values.metrics.perMapping }}
{{- $arguments = append $arguments "--metrics-per-mapping" }}
{{- end }}
{{- concat $arguments (default list .Values.extraArgs) | toYaml }}
{{- end }}

{{- /* Checks that the schema of the values cannot express, each with its remedy. The Deployment includes them. */ -}}
{{- define "esm-operator.check" -}}
{{- $problems := list }}
{{- if not .Values.clusterName }}
{{- $problems = append $problems "clusterName is needed: a name for this cluster that no other cluster on the same AWS accounts has, such as --set clusterName=production. It goes into the owner tags of all mappings." }}
{{- end }}
{{- if and (eq .Values.scope "namespaces") (not .Values.namespaces) }}
{{- $problems = append $problems "scope is namespaces, and namespaces is empty: name the namespaces to manage, such as --set 'namespaces={team-a,team-b}', or set scope to cluster." }}
{{- end }}
{{- if and (eq .Values.scope "cluster") .Values.namespaces }}
{{- $problems = append $problems "namespaces has names, but scope is cluster: set scope to namespaces to manage only these, or leave namespaces empty." }}
{{- end }}
{{- if and .Values.namespaceSelector (eq .Values.scope "namespaces") }}
{{- $problems = append $problems "namespaceSelector is set, but scope is namespaces: set scope to cluster to select namespaces by their labels, or leave namespaceSelector empty." }}
{{- end }}
{{- if and .Values.namespaceSelector (not (include "esm-operator.watchNamespaceLabels" .)) }}
{{- $problems = append $problems "namespaceSelector is set, but watchNamespaceLabels is false: the operator needs the labels of namespaces, so leave watchNamespaceLabels out." }}
{{- end }}
{{- range $key, $_ := .Values.defaultTags }}
{{- if regexMatch "^(aws:|esm-operator.io/)" (lower $key) }}
{{- $problems = append $problems (printf "defaultTags has the key %s: keys that begin with aws: or esm-operator.io/ are reserved, so choose another." $key) }}
{{- else if not (regexMatch "^[^=,]{1,128}$" $key) }}
{{- $problems = append $problems (printf "defaultTags has the key %s: a key has 1 to 128 characters, without = and commas." $key) }}
{{- end }}
{{- end }}
{{- range $name, $_ := .Values.providerConfigs }}
{{- if not (regexMatch "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$" $name) }}
{{- $problems = append $problems (printf "providerConfigs has the name %s: the name of a ProviderConfig has only lower case letters, digits, - and dots." $name) }}
{{- end }}
{{- end }}
{{- range $value, $labels := dict "podLabels" .Values.podLabels "commonLabels" .Values.commonLabels }}
{{- range $key, $_ := $labels }}
{{- if has $key (list "app.kubernetes.io/name" "app.kubernetes.io/instance") }}
{{- $problems = append $problems (printf "%s has the label %s, by which Deployment, Service and PodDisruptionBudget select their pods: leave it out. nameOverride changes the name." $value $key) }}
{{- end }}
{{- end }}
{{- end }}
{{- $replicas := int .Values.replicaCount }}
{{- with .Values.podDisruptionBudget }}
{{- if and .enabled (gt $replicas 1) (not (kindIs "invalid" .minAvailable)) (not (kindIs "string" .minAvailable)) (ge (int .minAvailable) $replicas) }}
{{- $problems = append $problems (printf "podDisruptionBudget.minAvailable is %d with %d replicas, so no node could be drained: set it lower, or raise replicaCount." (int .minAvailable) $replicas) }}
{{- end }}
{{- if and .enabled (not (kindIs "invalid" .minAvailable)) (not (kindIs "invalid" .maxUnavailable)) }}
{{- $problems = append $problems "podDisruptionBudget has minAvailable and maxUnavailable: Kubernetes accepts only one of them, so set the other to null." }}
{{- end }}
{{- end }}
{{- with .Values.metrics }}
{{- $service := default dict .serviceMonitor }}
{{- if and $service.enabled (default dict .podMonitor).enabled }}
{{- $problems = append $problems "metrics.serviceMonitor and metrics.podMonitor are both enabled: every metric would be scraped twice, so disable one." }}
{{- end }}
{{- if eq (int .port) (int $.Values.probePort) }}
{{- $problems = append $problems "metrics.port and probePort are the same: metrics and probes have a server each, so choose two ports." }}
{{- end }}
{{- if and .authentication (not (include "esm-operator.metricsSecret" $)) }}
{{- $problems = append $problems "metrics.authentication is true without TLS, and clients would send their tokens in plain text: name a Secret with tls.crt and tls.key in metrics.tls.secretName." }}
{{- end }}
{{- if and .perMapping (not .authentication) }}
{{- $problems = append $problems "metrics.perMapping shows the names of resources to everybody who can reach the metrics: set metrics.authentication to true, or metrics.perMapping to false." }}
{{- end }}
{{- if and .authentication (default dict .podMonitor).enabled (not (default dict .podMonitor).authorization) }}
{{- $problems = append $problems "metrics.podMonitor has no credentials, and metrics.authentication is true: set metrics.podMonitor.authorization, or use metrics.serviceMonitor." }}
{{- end }}
{{- if and $service.enabled (not (default dict .service).enabled) }}
{{- $problems = append $problems "metrics.serviceMonitor is enabled without metrics.service: enable metrics.service, or use metrics.podMonitor." }}
{{- end }}
{{- end }}
{{- $rule := default dict .Values.metrics.prometheusRule }}
{{- if and $rule.enabled $rule.disabled }}
{{- $alerts := list }}
{{- range (.Files.Get "files/alerts.yaml" | fromYaml).groups }}
{{- range .rules }}{{ with .alert }}{{ $alerts = append $alerts . }}{{ end }}{{ end }}
{{- end }}
{{- range $rule.disabled }}
{{- if not (has . $alerts) }}
{{- $problems = append $problems (printf "metrics.prometheusRule.disabled has %s, which is not an alert. The alerts are %s." . (join ", " $alerts)) }}
{{- end }}
{{- end }}
{{- end }}
{{- if $problems }}
{{- fail (printf "\n\n%s\n" (join "\n" $problems)) }}
{{- end }}
{{- end }}
