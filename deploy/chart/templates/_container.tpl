{{- /* The operator's settings, as far as the chart knows them; see scm-operator --help for all. */ -}}
{{- define "scm.settings" -}}
- name: SCM_OPERATOR_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: SCM_OPERATOR_LEASE_NAME
  value: {{ include "scm.fullname" . | toYaml }}
{{- with .Values.watchNamespaces }}
- name: SCM_OPERATOR_WATCH_NAMESPACES
{{- if eq (join "," .) $.Release.Namespace }}
  # Its own, whatever it is called: kustomize can move it to another.
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
{{- else }}
  value: {{ join "," . | quote }}
{{- end }}
{{- if not $.Values.clusterAccounts.enabled }}
- name: SCM_OPERATOR_CLUSTER_ACCOUNTS
  value: "false"
{{- end }}
{{- end }}
- name: SCM_OPERATOR_SECRETS_WATCH
  value: {{ .Values.secrets.watch | quote }}
{{- range $name, $value := .Values.settings }}
- name: SCM_OPERATOR_{{ $name | snakecase | upper }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- range $name, $value := dict "HTTP_PROXY" .Values.httpProxy "HTTPS_PROXY" .Values.httpsProxy "NO_PROXY" .Values.noProxy }}
{{- with $value }}
- name: {{ $name }}
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- if include "scm.caSource" . }}
- name: SSL_CERT_FILE
  value: /etc/scm-csr-operator/ca/{{ .Values.caBundle.key }}
{{- end }}
{{- end -}}

{{- /* All of the container's variables. One of extraEnv takes the place of the chart's own of the same name. */ -}}
{{- define "scm.env" -}}
{{- $given := list -}}
{{- range .Values.extraEnv }}{{ $given = append $given .name }}{{ end -}}
{{- $env := list -}}
{{- range include "scm.settings" . | fromYamlArray -}}
{{- if not (has .name $given) }}{{ $env = append $env . }}{{ end -}}
{{- end -}}
{{- concat $env (.Values.extraEnv | default list) | toYaml -}}
{{- end -}}

{{- /* The volume source of the CA bundle; empty without one. */ -}}
{{- define "scm.caSource" -}}
{{- with .Values.caBundle -}}
{{- if .secret -}}
secret: {secretName: {{ .secret | quote }}, items: [{key: {{ .key | quote }}, path: {{ .key | quote }}}]}
{{- else if or .configMap .pem -}}
configMap: {name: {{ default (printf "%s-ca" (include "scm.fullname" $)) .configMap | quote }}, items: [{key: {{ .key | quote }}, path: {{ .key | quote }}}]}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "scm.probe" -}}
httpGet: {path: {{ .path }}, port: http}
{{ toYaml .probe }}
{{- end -}}
