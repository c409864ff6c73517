using k8s;
using k8s.Models;
using YamlDotNet.Core;

namespace OrdersStream.UnitTests.Deployment;

/// <summary>The manifests hang together: by their files everywhere, and as kubectl puts them together where it is.</summary>
public sealed class KustomizationTests
{
    private static readonly string[] Overlays = ["overlays/one-node", "overlays/keda"];

    public static TheoryData<string> EveryFolder() => [.. Manifests.Kustomized];

    public static TheoryData<string> EveryOverlay() => [.. Overlays];

    [Fact]
    public void these_are_base_overlays_and_component()
    {
        Assert.Equal(
            ["base", "components/prometheus", "overlays/keda", "overlays/one-node"], Manifests.Kustomized.Order(StringComparer.Ordinal));
        Assert.All(Manifests.Kustomized, folder =>
        {
            var (version, kind) = folder.StartsWith("components/", StringComparison.Ordinal)
                ? ("v1alpha1", "Component") : ("v1beta1", "Kustomization");
            var kustomization = Manifests.KustomizationOf(folder);
            Assert.Equal(($"kustomize.config.k8s.io/{version}", kind), (kustomization.ApiVersion, kustomization.Kind));
        });
    }

    [Fact]
    public void a_field_that_does_not_exist_is_refused()
    {
        const string deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {replicas: 2}\n";
        const string scaled = "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: a}\nspec: {maxReplicaCount: 2}\n";
        Assert.Equal(2, Assert.IsType<V1Deployment>(Assert.Single(Manifests.Parse(deployment))).Spec.Replicas);
        Assert.Equal(2, Assert.IsType<ScaledObject>(Assert.Single(Manifests.Parse(scaled))).Spec.MaxReplicaCount);
        Assert.ThrowsAny<YamlException>(() => Manifests.Parse(deployment.Replace("replicas", "replica")));
        Assert.ThrowsAny<YamlException>(() => Manifests.Parse(scaled.Replace("maxReplicaCount", "maxReplicas")));
    }

    [Fact]
    public void every_file_is_led_to()
    {
        var led = Manifests.Kustomized.SelectMany(folder =>
        {
            var k = Manifests.KustomizationOf(folder);
            var envs = k.ConfigMapGenerator.Concat(k.SecretGenerator).SelectMany(g => g.Envs);
            return k.Resources.Concat(k.Components).Concat(envs).Concat(k.Patches.Select(p => p.Path!))
                .Select(name => Manifests.Resolve(folder, name)).Append($"{folder}/kustomization.yaml");
        }).ToHashSet();
        Assert.All(led, path => Assert.True(Path.Exists(Path.Combine(Manifests.Root, path)), $"{path} is named and not there"));
        Assert.All(Manifests.Files, file => Assert.Contains(file, led));
    }

    [Theory, MemberData(nameof(EveryFolder))]
    public void every_object_can_be_read_and_stands_once(string folder)
    {
        var names = Manifests.Collect(folder).Select(found => Manifests.Identity(found.Object)).ToList();
        Assert.NotEmpty(names);
        Assert.Equal(names.Distinct(), names);
    }

    [Theory, MemberData(nameof(EveryFolder))]
    public void every_patch_has_its_target(string folder)
    {
        var there = Manifests.Collect(folder).Select(found => found.Object).ToList();
        foreach (var patch in Manifests.KustomizationOf(folder).Patches)
        {
            var yaml = Manifests.Read(Manifests.Resolve(folder, patch.Path!));
            var isOperations = yaml.Split('\n').Any(l => l.StartsWith("- op:", StringComparison.Ordinal));
            var own = isOperations ? (null, null) : ((string?, string?))Manifests.Identity(Assert.Single(Manifests.Parse(yaml)));
            var (kind, name) = patch.Target is { } target ? (target.Kind, target.Name) : own;
            var hit = there.Where(o => Manifests.Identity(o).Kind == kind && (name is null || Manifests.Identity(o).Name == name)).ToList();
            Assert.True(hit.Count > 0, $"{folder}: {patch.Path} meets no {kind} {name}");
            if (!isOperations) continue;
            var operation = Assert.Single(KubernetesYaml.Deserialize<List<PatchOperation>>(yaml, strict: true));
            Assert.Equal(("remove", "/spec/replicas"), (operation.Op, operation.Path));
            Assert.All(hit, o => Assert.NotNull(Assert.IsType<V1Deployment>(o).Spec.Replicas));
        }
    }

    [Theory, MemberData(nameof(EveryOverlay))]
    public async Task kubectl_puts_it_together(string overlay)
    {
        var rendered = await RenderAsync(overlay);
        var deployments = rendered.OfType<V1Deployment>().ToList();
        Assert.Equal(["capture", "store"], deployments.Select(d => d.Metadata.Name).Order());
        Assert.All(
            rendered.OfType<IKubernetesObject<V1ObjectMeta>>().Where(o => o is not V1Namespace),
            o => Assert.Equal("orders-stream", o.Metadata.NamespaceProperty));

        var maps = rendered.OfType<V1ConfigMap>().Select(m => m.Metadata.Name).ToList();
        var secrets = rendered.OfType<V1Secret>().Select(m => m.Metadata.Name).ToList();
        foreach (var deployment in deployments)
        {
            var (labels, pod) = (deployment.Spec.Template.Metadata.Labels, deployment.Spec.Template.Spec);
            Assert.True(Manifests.Selects(deployment.Spec.Selector.MatchLabels, labels));
            var container = Assert.Single(pod.Containers);
            Assert.Contains(container.EnvFrom[0].ConfigMapRef.Name, maps);
            Assert.Contains(container.EnvFrom[1].SecretRef.Name, secrets);
            Assert.Contains('/', container.Image);
            Assert.True(Manifests.Selects(Assert.Single(rendered.OfType<V1Service>()).Spec.Selector, labels));
            Assert.True(Manifests.Selects(Assert.Single(rendered.OfType<V1NetworkPolicy>()).Spec.PodSelector.MatchLabels, labels));
            var budget = rendered.OfType<V1PodDisruptionBudget>().Single(b => Manifests.Selects(b.Spec.Selector.MatchLabels, labels));
            Assert.Equal(deployment.Metadata.Name, budget.Metadata.Name);
        }
    }

    [Fact]
    public async Task on_one_node_a_volume_of_one_node_is_enough()
    {
        var rendered = await RenderAsync("overlays/one-node");
        Assert.Equal(["ReadWriteOnce"], Assert.Single(rendered.OfType<V1PersistentVolumeClaim>()).Spec.AccessModes);
        foreach (var template in rendered.OfType<V1Deployment>().Select(d => d.Spec.Template))
        {
            var term = Assert.Single(template.Spec.Affinity.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution);
            Assert.Equal("kubernetes.io/hostname", term.TopologyKey);
            Assert.True(Manifests.Selects(term.LabelSelector.MatchLabels, template.Metadata.Labels));
        }
    }

    [Fact]
    public async Task keda_alone_says_how_many_store_and_the_monitor_finds_the_service()
    {
        var rendered = await RenderAsync("overlays/keda");
        Assert.Equal(["ReadWriteMany"], Assert.Single(rendered.OfType<V1PersistentVolumeClaim>()).Spec.AccessModes);
        var replicas = rendered.OfType<V1Deployment>().ToDictionary(d => d.Metadata.Name, d => d.Spec.Replicas);
        Assert.Equal((2, null), (replicas["capture"], replicas["store"]));
        var scaled = Assert.Single(rendered.OfType<ScaledObject>());
        Assert.Equal("orders-stream", scaled.Metadata.NamespaceProperty);
        Assert.Contains(scaled.Spec.ScaleTargetRef.Name!, replicas.Keys);
        var (monitor, service) = (Assert.Single(rendered.OfType<ServiceMonitor>()), Assert.Single(rendered.OfType<V1Service>()));
        Assert.True(Manifests.Selects(monitor.Spec.Selector.MatchLabels, service.Metadata.Labels));
        V1ObjectMeta[] watched = [monitor.Metadata, Assert.Single(rendered.OfType<PrometheusRule>()).Metadata];
        Assert.All(watched, m => Assert.Equal(service.Metadata.NamespaceProperty, m.NamespaceProperty));
    }

    private static async Task<IReadOnlyList<object>> RenderAsync(string overlay)
    {
        var rendered = await Manifests.RenderAsync(overlay);
        if (rendered is null) Assert.Skip("There is no kubectl; the other tests have looked at files, references and patches.");
        return rendered;
    }
}
