using k8s.Models;

namespace OrdersStream.UnitTests.Deployment;

// Shapes of what the client library has no types for, with the fields that may be used: another name in a manifest does not pass.

/// <summary>keda.sh/v1alpha1.</summary>
public sealed record ScaledObject
{
    public string? ApiVersion { get; init; }
    public string? Kind { get; init; }
    public V1ObjectMeta Metadata { get; init; } = new();
    public ScaledObjectSpec Spec { get; init; } = new();
}

public sealed record ScaledObjectSpec
{
    public ScaleTarget ScaleTargetRef { get; init; } = new();
    public int? PollingInterval { get; init; }
    public int? CooldownPeriod { get; init; }
    public int? InitialCooldownPeriod { get; init; }
    public int? IdleReplicaCount { get; init; }
    public int? MinReplicaCount { get; init; }
    public int? MaxReplicaCount { get; init; }
    public ScaledObjectAdvanced Advanced { get; init; } = new();
    public IList<ScaleTrigger> Triggers { get; init; } = [];
}

public sealed record ScaleTarget
{
    public string? ApiVersion { get; init; }
    public string? Kind { get; init; }
    public string? Name { get; init; }
    public string? EnvSourceContainerName { get; init; }
}

public sealed record ScaledObjectAdvanced
{
    public bool? RestoreToOriginalReplicaCount { get; init; }
    public ScaledObjectAutoscaler HorizontalPodAutoscalerConfig { get; init; } = new();
}

public sealed record ScaledObjectAutoscaler
{
    public string? Name { get; init; }
    public V2HorizontalPodAutoscalerBehavior Behavior { get; init; } = new();
}

public sealed record ScaleTrigger
{
    public string? Type { get; init; }
    public string? Name { get; init; }
    public KafkaScaler Metadata { get; init; } = new();
    public ScaleAuthentication? AuthenticationRef { get; init; }
    public string? MetricType { get; init; }
    public bool? UseCachedMetrics { get; init; }
}

public sealed record ScaleAuthentication
{
    public string? Kind { get; init; }
    public string? Name { get; init; }
}

/// <summary>Of the trigger <c>kafka</c>; all values are texts.</summary>
public sealed record KafkaScaler
{
    public string? BootstrapServers { get; init; }
    public string? ConsumerGroup { get; init; }
    public string? Topic { get; init; }
    public string? LagThreshold { get; init; }
    public string? ActivationLagThreshold { get; init; }
    public string? OffsetResetPolicy { get; init; }
    public string? AllowIdleConsumers { get; init; }
    public string? ScaleToZeroOnInvalidOffset { get; init; }
    public string? ExcludePersistentLag { get; init; }
    public string? LimitToPartitionsWithLag { get; init; }
    public string? EnsureEvenDistributionOfPartitions { get; init; }
    public string? PartitionLimitation { get; init; }
    public string? Version { get; init; }
    public string? Sasl { get; init; }
    public string? Tls { get; init; }
}

/// <summary>monitoring.coreos.com/v1.</summary>
public sealed record ServiceMonitor
{
    public string? ApiVersion { get; init; }
    public string? Kind { get; init; }
    public V1ObjectMeta Metadata { get; init; } = new();
    public ServiceMonitorSpec Spec { get; init; } = new();
}

public sealed record ServiceMonitorSpec
{
    public V1LabelSelector Selector { get; init; } = new();
    public IList<ServiceMonitorEndpoint> Endpoints { get; init; } = [];
}

public sealed record ServiceMonitorEndpoint
{
    public string? Port { get; init; }
    public string? Path { get; init; }
    public string? Interval { get; init; }
    public string? ScrapeTimeout { get; init; }
}

/// <summary>monitoring.coreos.com/v1.</summary>
public sealed record PrometheusRule
{
    public string? ApiVersion { get; init; }
    public string? Kind { get; init; }
    public V1ObjectMeta Metadata { get; init; } = new();
    public PrometheusRuleSpec Spec { get; init; } = new();
}

public sealed record PrometheusRuleSpec
{
    public IList<AlertGroup> Groups { get; init; } = [];
}

public sealed record AlertGroup
{
    public string? Name { get; init; }
    public string? Interval { get; init; }
    public IList<AlertRule> Rules { get; init; } = [];
}

public sealed record AlertRule
{
    public string? Alert { get; init; }
    public string? Expr { get; init; }
    public string? For { get; init; }
    public Dictionary<string, string> Labels { get; init; } = [];
    public Dictionary<string, string> Annotations { get; init; } = [];
}

/// <summary>kustomize.config.k8s.io: a Kustomization or a Component.</summary>
public sealed record Kustomization
{
    public string? ApiVersion { get; init; }
    public string? Kind { get; init; }
    public string? Namespace { get; init; }
    public IList<KustomizeLabels> Labels { get; init; } = [];
    public IList<string> Resources { get; init; } = [];
    public IList<string> Components { get; init; } = [];
    public IList<KustomizePatch> Patches { get; init; } = [];
    public IList<KustomizeGenerator> ConfigMapGenerator { get; init; } = [];
    public IList<KustomizeGenerator> SecretGenerator { get; init; } = [];
    public IList<KustomizeImage> Images { get; init; } = [];
}

public sealed record KustomizeLabels
{
    public Dictionary<string, string> Pairs { get; init; } = [];
    public bool IncludeSelectors { get; init; }
    public bool IncludeTemplates { get; init; }
}

public sealed record KustomizePatch
{
    public string? Path { get; init; }
    public KustomizeTarget? Target { get; init; }
}

public sealed record KustomizeTarget
{
    public string? Kind { get; init; }
    public string? Name { get; init; }
}

public sealed record KustomizeGenerator
{
    public string? Name { get; init; }
    public IList<string> Envs { get; init; } = [];
}

public sealed record KustomizeImage
{
    public string? Name { get; init; }
    public string? NewName { get; init; }
    public string? NewTag { get; init; }
}

/// <summary>One operation of a JSON patch that takes no value.</summary>
public sealed record PatchOperation
{
    public string? Op { get; init; }
    public string? Path { get; init; }
}
