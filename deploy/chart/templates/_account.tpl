{{- /* The account as the cluster has it; empty if there is none, or if no cluster is asked. */ -}}
{{- define "scm.foundAccount" -}}
{{- $api := "scm.certops.dev/v1alpha1" -}}
{{- if .Capabilities.APIVersions.Has (printf "%s/ClusterScmAccount" $api) -}}
{{- with lookup $api "ClusterScmAccount" "" .Values.account.name }}{{ toYaml . }}{{ end -}}
{{- end -}}
{{- end -}}

{{- /* Stands for the values that an account is made from: others, another text. */ -}}
{{- define "scm.accountValues" -}}
{{- toJson (list .Values.account .Values.commonLabels .Values.commonAnnotations) | sha256sum -}}
{{- end -}}

{{- /*
Not empty if the account has to be written: it doesn't exist, or the values are not those that it was made from.
To Helm 3, which couldn't write it, it is enough that it has what the values ask for.
*/ -}}
{{- define "scm.accountChanges" -}}
{{- $found := include "scm.foundAccount" . | fromYaml -}}
{{- if not $found -}}
new
{{- else if hasPrefix "v3." .Capabilities.HelmVersion.Version -}}
{{- if ne (toJson $found.spec) (mergeOverwrite (deepCopy $found.spec) .Values.account.spec | toJson) }}other{{ end -}}
{{- else if ne (dig "metadata" "annotations" "scm.certops.dev/made-from" "" $found) (include "scm.accountValues" .) -}}
other
{{- end -}}
{{- end -}}
