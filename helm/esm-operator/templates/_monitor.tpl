{{- /* The common part of ServiceMonitor and PodMonitor. Arguments: (list context kind values endpoints). */ -}}
{{- define "esm-operator.monitor" -}}
{{- $context := index . 0 }}
{{- $values := index . 2 }}
apiVersion: monitoring.coreos.com/v1
kind: {{ index . 1 }}
metadata:
  name: {{ include "esm-operator.fullname" $context | quote }}
  namespace: {{ default (include "esm-operator.namespace" $context) $values.namespace | quote }}
  labels:
    {{- include "esm-operator.labels" (list $context $values.labels) | nindent 4 }}
  {{- with $values.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  namespaceSelector:
    matchNames:
      - {{ include "esm-operator.namespace" $context | quote }}
  selector:
    matchLabels:
      {{- include "esm-operator.selectorLabels" $context | nindent 6 }}
  {{ index . 3 }}:
    - port: metrics
      path: /metrics
      {{- with include "esm-operator.metricsSecret" $context }}
      scheme: https
      {{- $ca := dict "ca" (dict "secret" (dict "name" . "key" "ca.crt")) }}
      {{- $host := printf "%s.%s.svc" (include "esm-operator.fullname" $context) (include "esm-operator.namespace" $context) }}
      tlsConfig:
        {{- default (merge $ca (dict "serverName" $host)) $values.tlsConfig | toYaml | nindent 8 }}
      {{- end }}
      {{- if $values.authorization }}
      authorization:
        {{- toYaml $values.authorization | nindent 8 }}
      {{- else if $context.Values.metrics.authentication }}
      bearerTokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token
      {{- end }}
      interval: {{ $values.interval | quote }}
      scrapeTimeout: {{ $values.scrapeTimeout | quote }}
      honorLabels: {{ $values.honorLabels }}
      {{- with $values.relabelings }}
      relabelings:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.metricRelabelings }}
      metricRelabelings:
        {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end }}
