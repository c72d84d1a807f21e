{{- /*
Names and labels. 47 characters leave room for the suffixes of the objects that are named after it; the dots that a
release's name may have can't be in a Service's. What a person has named is written by toYaml or quote: 123 is a name.
*/ -}}
{{- define "scm.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "scm.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | replace "." "-" -}}
{{- default $full .Values.fullnameOverride | trunc 47 | trimSuffix "-" -}}
{{- end -}}

{{- define "scm.serviceAccountName" -}}
{{- default (include "scm.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{- /* What an installation is known by among others: where its Lease is. */ -}}
{{- define "scm.installation" -}}
{{- printf "%s/%s" .Release.Namespace (include "scm.fullname" .) -}}
{{- end -}}

{{- define "scm.selectorLabels" -}}
app.kubernetes.io/name: {{ include "scm.name" . | toYaml }}
app.kubernetes.io/instance: {{ .Release.Name | toYaml }}
{{- end -}}

{{- define "scm.labels" -}}
{{ include "scm.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* labels and annotations of an object: (dict "root" $ "labels" {…} "annotations" {…}), the object's own win, but
never over the labels that monitors and selectors find it by. */ -}}
{{- define "scm.metadata" -}}
labels:
  {{- merge (include "scm.selectorLabels" .root | fromYaml) (.labels | default dict) (include "scm.labels" .root | fromYaml) | toYaml | nindent 2 }}
{{- with merge (dict) (.annotations | default dict) (.root.Values.commonAnnotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "scm.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* The ServiceAccount as a subject of bindings. */ -}}
{{- define "scm.subjects" -}}
subjects:
- kind: ServiceAccount
  name: {{ include "scm.serviceAccountName" . | toYaml }}
  namespace: {{ .Release.Namespace | toYaml }}
{{- end -}}

{{- /* Not empty if an upload could find an account. */ -}}
{{- define "scm.accounts" -}}
{{- $api := "scm.certops.dev/v1alpha1" -}}
{{- if .Values.account.create -}}
made
{{- else if and .Values.preflight.enabled (.Capabilities.APIVersions.Has (printf "%s/ScmAccount" $api)) -}}
{{- range default (list "") .Values.watchNamespaces -}}
{{- range (lookup $api "ScmAccount" . "").items -}}{{ .metadata.name }}{{- end -}}
{{- end -}}
{{- if or (not .Values.watchNamespaces) .Values.clusterAccounts.enabled -}}
{{- range (lookup $api "ClusterScmAccount" "" "").items -}}{{ .metadata.name }}{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
