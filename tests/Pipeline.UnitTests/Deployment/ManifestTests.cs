using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using k8s.Models;
using OrdersStream.Configuration;
using OrdersStream.LocalHost.CommandLine;
using OrdersStream.LocalHost.Verbs;
using OrdersStream.Site;
using OrdersStream.Store;
using OrdersStream.UnitTests.Stack;

namespace OrdersStream.UnitTests.Deployment;

/// <summary>The manifests, held against the program that they start: its verbs, settings, ports, probes, folders and end.</summary>
public sealed partial class ManifestTests
{
    private static readonly PipelineOptions Options = Manifests.Options();

    public static TheoryData<string, string> Halves() => new() { { "capture", "postgres-to-kafka" }, { "store", "kafka-to-lake" } };

    [Theory, MemberData(nameof(Halves))]
    public void what_it_starts_the_program_knows_and_it_is_one_half(string name, string half)
    {
        var arguments = ArgumentsOf(name);
        Assert.Empty(arguments.Errors);
        Assert.Equal(("run", half), (arguments.CommandResult.Command.Name, arguments.GetValue<string>("--only")));
    }

    [Theory, MemberData(nameof(Halves))]
    public void the_port_of_the_status_is_the_one_that_all_ask_at(string name, string half)
    {
        var container = ContainerOf(name);
        var port = Assert.Single(container.Ports);
        var served = ArgumentsOf(name).GetValue<IPEndPoint>("--ui");
        Assert.Equal(new IPEndPoint(IPAddress.Any, port.ContainerPort), served);
        var service = Assert.Single(Manifests.One<V1Service>("base/service.yaml").Spec.Ports);
        var inward = Assert.Single(Assert.Single(Manifests.One<V1NetworkPolicy>("base/network.yaml").Spec.Ingress).Ports);
        var scraped = Assert.Single(Manifests.One<ServiceMonitor>("components/prometheus/servicemonitor.yaml").Spec.Endpoints);
        Assert.Equal(("TCP", true), (inward.Protocol, port.Protocol is null or "TCP"));
        string?[] asked =
        [
            .. new[] { container.LivenessProbe, container.ReadinessProbe, container.StartupProbe }.Select(p => p.HttpGet.Port.Value),
            service.TargetPort.Value, inward.Port.Value,
        ];
        Assert.All(asked, p => Assert.Equal(port.Name, p));
        Assert.Equal((service.Name, port.ContainerPort), (scraped.Port, service.Port));
        Assert.True(half is "postgres-to-kafka" or "kafka-to-lake");
    }

    [Theory, MemberData(nameof(Halves))]
    public void a_probe_asks_what_the_program_answers_for_it(string name, string half)
    {
        var container = ContainerOf(name);
        Assert.Equal(
            (StatusSite.Live, StatusSite.Live, StatusSite.Ready),
            (container.StartupProbe.HttpGet.Path, container.LivenessProbe.HttpGet.Path, container.ReadinessProbe.HttpGet.Path));
        Assert.True(container.ReadinessProbe.TimeoutSeconds >= 12, $"{half}: three answers of four seconds each are waited for");
    }

    [Theory, MemberData(nameof(Halves))]
    public void it_may_end_by_itself_before_it_is_killed(string name, string half) => Assert.True(
        PodOf(name).TerminationGracePeriodSeconds > RunVerb.StopTimeout.TotalSeconds + 5, half);

    [Theory, MemberData(nameof(Halves))]
    public void everything_that_is_written_lies_below_the_lakes_volume(string name, string half)
    {
        var (pod, mounts) = (PodOf(name), ContainerOf(name).VolumeMounts);
        var claims = pod.Volumes.Where(v => v.PersistentVolumeClaim is not null).ToDictionary(v => v.Name, v => v.PersistentVolumeClaim);
        var (volume, claim) = Assert.Single(claims);
        Assert.Equal(Manifests.One<V1PersistentVolumeClaim>("base/lake.yaml").Metadata.Name, claim.ClaimName);
        var mount = mounts.Single(m => m.Name == volume);
        var (lake, state) = (Options.Datalake, Options.Streaming);
        foreach (var path in (string[])[lake.Path, state.CheckpointLocation, state.LastProcessedTimestampLocation])
            Assert.StartsWith(mount.MountPath + "/", path);
        Assert.False(mount.ReadOnlyProperty ?? false, half);
        // Beside it the runtime's own small files, in memory: a file system that is read-only has no place for them.
        var other = Assert.Single(pod.Volumes, v => v.Name != volume);
        Assert.Equal(("Memory", "/tmp"), (other.EmptyDir.Medium, mounts.Single(m => m.Name == other.Name).MountPath));
        Assert.Equal(pod.Volumes.Select(v => v.Name).Order(), mounts.Select(m => m.Name).Order());
    }

    [Theory, MemberData(nameof(Halves))]
    public void it_has_no_rights_and_is_the_user_of_the_image(string name, string half)
    {
        var (pod, container) = (PodOf(name), ContainerOf(name));
        Assert.Equal((true, false), (container.SecurityContext.ReadOnlyRootFilesystem, container.SecurityContext.AllowPrivilegeEscalation));
        Assert.Equal(["ALL"], container.SecurityContext.Capabilities.Drop);
        Assert.Equal((true, "RuntimeDefault"), (pod.SecurityContext.RunAsNonRoot, pod.SecurityContext.SeccompProfile.Type));
        Assert.Equal(ImageTests.User, $"{pod.SecurityContext.RunAsUser}:{pod.SecurityContext.RunAsGroup}");
        Assert.Equal(pod.SecurityContext.RunAsGroup, pod.SecurityContext.FsGroup);
        Assert.Equal("OnRootMismatch", pod.SecurityContext.FsGroupChangePolicy);
        Assert.False(pod.AutomountServiceAccountToken ?? true, half);
        Assert.Equal(Manifests.One<V1ServiceAccount>("base/serviceaccount.yaml").Metadata.Name, pod.ServiceAccountName);
    }

    [Theory, MemberData(nameof(Halves))]
    public void its_environment_is_what_is_generated_and_the_image_the_one_that_is_named(string name, string half)
    {
        var kustomization = Manifests.KustomizationOf("base");
        var from = ContainerOf(name).EnvFrom;
        Assert.Equal(
            [(Assert.Single(kustomization.ConfigMapGenerator).Name, null), (null, Assert.Single(kustomization.SecretGenerator).Name)],
            from.Select(f => (f.ConfigMapRef?.Name, f.SecretRef?.Name)));
        Assert.Equal(Assert.Single(kustomization.Images).Name, ContainerOf(name).Image);
        Assert.Null(ContainerOf(name).Command);
        Assert.Equal(half == "postgres-to-kafka" ? 2 : 1, Of(name).Spec.Replicas);
    }

    /// <summary>A name that nobody reads would be no fault: the default would be taken instead.</summary>
    [Fact]
    public void each_setting_is_one_that_the_program_takes()
    {
        var environment = Manifests.Environment();
        Assert.All(environment.Keys, name => Assert.True(Manifests.IsTaken(name, environment), $"nobody takes {name}"));
        Assert.Equal("demo_orders", Options.Postgres.Table);
    }

    [Fact]
    public void the_way_is_open_to_both_servers_and_to_names()
    {
        var egress = Manifests.One<V1NetworkPolicy>("base/network.yaml").Spec.Egress;
        var open = egress.SelectMany(rule => rule.Ports).Select(p => (p.Protocol, p.Port.Value)).ToList();
        var servers = Options.Kafka.Brokers.Split(',').Select(b => b.Split(':')[1])
            .Append(Options.Postgres.Port.ToString(CultureInfo.InvariantCulture)).Distinct();
        Assert.Equal(servers.Select(port => ("TCP", port)).Append(("TCP", "53")).Append(("UDP", "53")).Order(), open.Order());
        // Names are asked for where clusters have their name server; the servers may lie anywhere.
        var names = Assert.Single(egress, rule => rule.To is not null);
        Assert.All(names.Ports, p => Assert.Equal("53", p.Port.Value));
        Assert.Equal(
            new("kubernetes.io/metadata.name", "kube-system"), Assert.Single(Assert.Single(names.To).NamespaceSelector.MatchLabels));
    }

    /// <summary>A cluster takes a selector that meets nobody, or others too: the pods are then without budget, policy or page.</summary>
    [Fact]
    public void whoever_selects_pods_selects_these()
    {
        var pods = ((string[])["capture", "store"]).ToDictionary(name => name, name => Labelled(Of(name).Spec.Template.Metadata.Labels));
        string[] all = [.. pods.Keys];
        Assert.All(all, name => AssertSelects(Of(name).Spec.Selector, [name]));
        Assert.All(all, name => Assert.Equal(Of(name).Spec.Template.Metadata.Labels, Of(name).Metadata.Labels));
        var spread = Assert.Single(PodOf("capture").TopologySpreadConstraints);
        Assert.Equal(("kubernetes.io/hostname", "ScheduleAnyway"), (spread.TopologyKey, spread.WhenUnsatisfiable));
        AssertSelects(spread.LabelSelector, ["capture"]);

        var budgets = Manifests.Parse(Manifests.Read("base/disruption.yaml")).Cast<V1PodDisruptionBudget>().ToList();
        Assert.Equal(all, budgets.Select(b => b.Metadata.Name).Order());
        Assert.All(budgets, budget =>
        {
            AssertSelects(budget.Spec.Selector, [budget.Metadata.Name]);
            Assert.Equal(budget.Metadata.Name, budget.Spec.Selector.MatchLabels["app.kubernetes.io/component"]);
            Assert.Equal(("1", null), (budget.Spec.MaxUnavailable.Value, budget.Spec.MinAvailable?.Value));
        });

        var service = Manifests.One<V1Service>("base/service.yaml");
        AssertMeets(service.Spec.Selector, all);
        // The page says what is wrong with one that is not ready.
        Assert.True(service.Spec.PublishNotReadyAddresses);
        AssertSelects(Manifests.One<V1NetworkPolicy>("base/network.yaml").Spec.PodSelector, all);
        var together = Manifests.One<V1Deployment>("overlays/one-node/together.yaml").Spec.Template.Spec.Affinity.PodAffinity;
        var term = Assert.Single(together.RequiredDuringSchedulingIgnoredDuringExecution);
        Assert.Equal("kubernetes.io/hostname", term.TopologyKey);
        AssertSelects(term.LabelSelector, all);
        var monitor = Manifests.One<ServiceMonitor>("components/prometheus/servicemonitor.yaml").Spec.Selector;
        Assert.Null(monitor.MatchExpressions);
        Assert.True(Manifests.Selects(monitor.MatchLabels, Labelled(service.Metadata.Labels)));

        void AssertSelects(V1LabelSelector selector, string[] names)
        {
            Assert.Null(selector.MatchExpressions);
            AssertMeets(selector.MatchLabels, names);
        }

        void AssertMeets(IDictionary<string, string> selector, string[] names) =>
            Assert.Equal(names, pods.Where(pod => Manifests.Selects(selector, pod.Value)).Select(pod => pod.Key).Order());
    }

    [Fact]
    public void metrics_are_asked_for_from_the_monitors_namespace_alone()
    {
        var policy = Manifests.One<V1NetworkPolicy>("base/network.yaml").Spec;
        Assert.Equal(["Egress", "Ingress"], policy.PolicyTypes.Order());
        var from = Assert.Single(Assert.Single(policy.Ingress).FromProperty);
        Assert.Equal(new("kubernetes.io/metadata.name", "monitoring"), Assert.Single(from.NamespaceSelector.MatchLabels));
        Assert.Null(from.NamespaceSelector.MatchExpressions);
    }

    [Fact]
    public void all_lie_in_one_namespace_which_refuses_pods_with_more_rights()
    {
        var own = Manifests.One<V1Namespace>("base/namespace.yaml").Metadata;
        Assert.Equal("restricted", own.Labels["pod-security.kubernetes.io/enforce"]);
        string[] named = [.. Manifests.Kustomized.Select(Manifests.KustomizationOf).Select(k => k.Namespace).OfType<string>()];
        // The component has none: it takes that of who includes it.
        Assert.Equal(Enumerable.Repeat(own.Name, Manifests.Kustomized.Count() - 1), named);
        Assert.Null(Manifests.KustomizationOf("components/prometheus").Namespace);
    }

    [Fact]
    public void many_nodes_write_the_lake_or_one_does()
    {
        var (many, one) = (Claim("base"), Claim("overlays/one-node"));
        Assert.Equal(["ReadWriteMany"], many.Spec.AccessModes);
        Assert.Equal(["ReadWriteOnce"], one.Spec.AccessModes);
        Assert.Equal(["storage"], many.Spec.Resources.Requests.Keys);
        Assert.Equal(
            (many.Metadata.Name, Manifests.KustomizationOf("base").Namespace), (one.Metadata.Name, one.Metadata.NamespaceProperty));

        static V1PersistentVolumeClaim Claim(string folder) => Manifests.One<V1PersistentVolumeClaim>($"{folder}/lake.yaml");
    }

    [Fact]
    public void the_scaler_watches_the_group_by_which_store_reads_the_topic()
    {
        var spec = Scaled().Spec;
        var kafka = Assert.Single(spec.Triggers);
        Assert.Equal("kafka", kafka.Type);
        Assert.Equal(
            (Options.Kafka.Brokers, Options.Kafka.Topic, Options.Kafka.EffectiveGroupId),
            (kafka.Metadata.BootstrapServers, kafka.Metadata.Topic, kafka.Metadata.ConsumerGroup));
        Assert.Equal("store", spec.ScaleTargetRef.Name);
        Assert.Equal(Of("store").Metadata.Name, spec.ScaleTargetRef.Name);
        Assert.Equal(("earliest", "false"), (kafka.Metadata.OffsetResetPolicy, kafka.Metadata.AllowIdleConsumers));
        Assert.Equal((1, Options.Kafka.Partitions), (spec.MinReplicaCount, spec.MaxReplicaCount));
    }

    /// <summary>The group's offsets stand still while a backlog is collected: that is no reason to go or to come.</summary>
    [Fact]
    public void it_takes_nobody_away_for_a_pause_between_two_commits()
    {
        var spec = Scaled().Spec;
        var collected = Options.Streaming.BatchInterval * BatchTiming.BacklogIntervals;
        Assert.True(spec.CooldownPeriod > 2 * collected);
        var (up, down) = (spec.Advanced.HorizontalPodAutoscalerConfig.Behavior.ScaleUp,
            spec.Advanced.HorizontalPodAutoscalerConfig.Behavior.ScaleDown);
        var stabilization = down.StabilizationWindowSeconds;
        Assert.True(stabilization > 2 * collected);
        Assert.All([.. up.Policies, .. down.Policies], policy => Assert.Contains(policy.Type, (string[])["Pods", "Percent"]));
        // The cool-down counts where all may go, and the window where one stays, as here: it is the same time.
        Assert.Equal(spec.CooldownPeriod, stabilization);
    }

    /// <summary>A backlog that is stored would else be counted for several looks.</summary>
    [Fact]
    public void the_group_hears_of_a_commit_long_before_the_next_look()
    {
        var config = LakeConsumer.ConfigOf(Options, null);
        Assert.Equal(Assert.Single(Scaled().Spec.Triggers).Metadata.ConsumerGroup, config.GroupId);
        Assert.True(config.EnableAutoCommit);
        Assert.InRange(config.AutoCommitIntervalMs!.Value, 1, Scaled().Spec.PollingInterval!.Value * 1_000 / 10);
    }

    /// <summary>Ten seconds of what the share of a core that a pod asks for was measured to store.</summary>
    [Fact]
    public void its_threshold_is_what_one_pod_stores_in_ten_seconds()
    {
        var threshold = double.Parse(Assert.Single(Scaled().Spec.Triggers).Metadata.LagThreshold!, CultureInfo.InvariantCulture);
        var share = ContainerOf("store").Resources.Requests["cpu"].ToDouble();
        Assert.InRange(threshold / (10 * share * Measured("to-lake, rows per CPU-second")[0]), 0.7, 1.3);
    }

    [Theory, MemberData(nameof(Halves))]
    public void its_memory_is_more_than_was_ever_measured(string name, string half)
    {
        var resources = ContainerOf(name).Resources;
        string[] lines = ["to-kafka, peak RSS, MiB", "to-lake, peak RSS, MiB", "rows of 1 MB, peak RSS, MiB"];
        var peak = lines.SelectMany(Measured).Max();
        Assert.True(resources.Requests["memory"].ToDouble() >= peak * 1024 * 1024, $"{half}: {peak} MiB were measured");
        Assert.All([resources.Requests, resources.Limits], counted => Assert.Equal(["cpu", "memory"], counted.Keys.Order()));
        Assert.True(resources.Limits["memory"].ToDouble() >= 2 * resources.Requests["memory"].ToDouble());
    }

    /// <summary>What docs/deployment.md promises of a machine was measured, and stands where it is told how.</summary>
    [Fact]
    public void the_documents_figures_are_measured_ones()
    {
        var document = ComposeFile.RepositoryFile("docs", "deployment.md");
        var section = document.Split("\n## When one machine")[1].Split("\n# To Azure")[0];
        var figures = LargeFigure().Matches(section).Select(m => m.Value).ToList();
        Assert.NotEmpty(figures);
        var measured = ComposeFile.RepositoryFile("docs", "performance.md");
        Assert.All(figures, figure => Assert.Contains($" {figure} ", measured));
    }

    private static ScaledObject Scaled() => Manifests.One<ScaledObject>("overlays/keda/scaledobject.yaml");

    private static V1Deployment Of(string name)
    {
        var deployment = Manifests.One<V1Deployment>($"base/{name}.yaml");
        Assert.Equal(name, deployment.Metadata.Name);
        return deployment;
    }

    /// <summary>Its own labels, and those that all of the base are given.</summary>
    private static Dictionary<string, string> Labelled(IDictionary<string, string>? own)
    {
        var common = Assert.Single(Manifests.KustomizationOf("base").Labels);
        Assert.Equal((true, true), (common.IncludeSelectors, common.IncludeTemplates));
        return common.Pairs.Concat(own ?? new Dictionary<string, string>()).ToDictionary();
    }

    private static V1PodSpec PodOf(string name) => Of(name).Spec.Template.Spec;

    private static V1Container ContainerOf(string name) => Assert.Single(PodOf(name).Containers);

    private static ParseResult ArgumentsOf(string name) => Commands.Root().Parse([.. ContainerOf(name).Args]);

    /// <summary>The figures of a line of docs/performance.md, the median first.</summary>
    private static double[] Measured(string line)
    {
        var document = ComposeFile.RepositoryFile("docs", "performance.md");
        var cells = document.Split('\n').Single(l => l.StartsWith($"| {line} |", StringComparison.Ordinal)).Split('|')[2..];
        return [.. cells.SelectMany(c => Figure().Matches(c)).Select(m => double.Parse(m.Value, CultureInfo.InvariantCulture))];
    }

    [GeneratedRegex(@"\d[\d,]*(\.\d+)?")]
    private static partial Regex Figure();

    [GeneratedRegex(@"\d{1,3}(,\d{3})+")]
    private static partial Regex LargeFigure();
}
