{{- define "scm.checkValues" -}}
{{- with .Values -}}
{{- if and .secrets.names .secrets.watch -}}
{{- fail "secrets.names limits which Secrets can be read, and a watch can't be limited to names: set secrets.watch to false as well." -}}
{{- end -}}
{{- if not (or .serviceAccount.create .serviceAccount.name) -}}
{{- fail "serviceAccount.create is false: set serviceAccount.name to one that exists. The one called default is every Pod's that names none, and they all could read Secrets then." -}}
{{- end -}}
{{- if gt (len (compact (list .caBundle.pem .caBundle.configMap .caBundle.secret))) 1 -}}
{{- fail "caBundle: set only one of pem, configMap and secret." -}}
{{- end -}}
{{- if and .serviceMonitor.enabled .podMonitor.enabled -}}
{{- fail "serviceMonitor.enabled and podMonitor.enabled: set only one of them, or everything is scraped twice." -}}
{{- end -}}
{{- if and .serviceMonitor.enabled (not .service.enabled) -}}
{{- fail "serviceMonitor.enabled needs service.enabled; podMonitor.enabled does without a Service." -}}
{{- end -}}
{{- if and .account.create .watchNamespaces (not .clusterAccounts.enabled) -}}
{{- fail "account.create makes a ClusterScmAccount, and with watchNamespaces these are served only if clusterAccounts.enabled is true." -}}
{{- end -}}
{{- if and .account.create (not .account.spec) -}}
{{- fail "account.create needs account.spec, the spec of a ClusterScmAccount: region or endpoint, and auth." -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* The installation that an object says it is part of; empty if that is this one, or if there is no such object. */ -}}
{{- define "scm.otherInstallation" -}}
{{- if .object -}}
{{- $sign := dig "metadata" "annotations" "scm.certops.dev/installation" "one that doesn't say its name" .object -}}
{{- if ne $sign (include "scm.installation" .root) }}{{ $sign }}{{ end -}}
{{- end -}}
{{- end -}}

{{- define "scm.checkOthers" -}}
{{- $rbac := "rbac.authorization.k8s.io/v1" -}}
{{- with include "scm.otherInstallation" (dict "root" . "object" (lookup $rbac "ClusterRole" "" "scm-csr-operator-cluster-wide")) -}}
{{- fail (printf "this cluster has an installation that serves all namespaces already (namespace/name: %s), and two would upload everything twice. Upgrade or uninstall that one, or give it watchNamespaces first." .) -}}
{{- end -}}
{{- if .Values.watchNamespaces -}}
{{- range .Values.watchNamespaces -}}
{{- $other := include "scm.otherInstallation" (dict "root" $ "object" (lookup $rbac "Role" . "scm-csr-operator-uploads")) -}}
{{- if $other -}}
{{- fail (printf "namespace %s of watchNamespaces is served by another installation already (namespace/name: %s), and two would upload everything twice. Take it out of watchNamespaces here or there, or uninstall that one." . $other) -}}
{{- end -}}
{{- end -}}
{{- if .Values.clusterAccounts.enabled -}}
{{- with include "scm.otherInstallation" (dict "root" . "object" (lookup $rbac "ClusterRole" "" "scm-csr-operator-cluster-accounts")) -}}
{{- fail (printf "the cluster's ClusterScmAccounts are served by another installation already (namespace/name: %s). Set clusterAccounts.enabled to true in only one of the two." .) -}}
{{- end -}}
{{- end -}}
{{- else -}}
{{- range (lookup $rbac "Role" "" "").items -}}
{{- if eq .metadata.name "scm-csr-operator-uploads" -}}
{{- $other := include "scm.otherInstallation" (dict "root" $ "object" .) -}}
{{- if $other -}}
{{- fail (printf "namespace %s is served by another installation already (namespace/name: %s), and without watchNamespaces this one would serve all namespaces and upload everything there twice. Uninstall that one, or set watchNamespaces." .metadata.namespace $other) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Whose an object is to Helm: "" this release's, else a text for people. */ -}}
{{- define "scm.otherOwner" -}}
{{- $annotations := dig "metadata" "annotations" dict .object -}}
{{- $name := get $annotations "meta.helm.sh/release-name" -}}
{{- $namespace := get $annotations "meta.helm.sh/release-namespace" -}}
{{- if not $name -}}
was made without Helm
{{- else if or (ne $name .root.Release.Name) (ne $namespace .root.Release.Namespace) -}}
belongs to release {{ $name }} in namespace {{ $namespace }}
{{- end -}}
{{- end -}}

{{- define "scm.checkCrds" -}}
{{- if .Values.crds.install -}}
{{- range $path, $_ := .Files.Glob "files/crds/*.yaml" -}}
{{- $name := ($.Files.Get $path | fromYaml).metadata.name -}}
{{- with lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" $name -}}
{{- with include "scm.otherOwner" (dict "root" $ "object" .) -}}
{{- fail (printf "CustomResourceDefinition %s exists and %s. Set crds.install to false to leave it as it is; to have this release upgrade it from now on, give helm --take-ownership and set preflight.enabled to false, this once." $name .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "scm.checkAccount" -}}
{{- if .Values.account.create -}}
{{- with include "scm.foundAccount" . | fromYaml -}}
{{- with include "scm.otherOwner" (dict "root" $ "object" .) -}}
{{- fail (printf "account.create: ClusterScmAccount %s exists and %s. Set account.create to false to leave it as it is, or account.name to another name." $.Values.account.name .) -}}
{{- end -}}
{{- if and (hasPrefix "v3." $.Capabilities.HelmVersion.Version) (include "scm.accountChanges" $) -}}
{{- fail (printf "account.spec is not what ClusterScmAccount %s has, and Helm 3 can't change it in place. The chart's README says how to do it with kubectl." $.Values.account.name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
