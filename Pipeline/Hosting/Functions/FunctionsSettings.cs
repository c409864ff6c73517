using OrdersStream.Configuration;

namespace OrdersStream.Hosting.Functions;

/// <summary>
/// What a platform's triggers take from the environment, since they cannot read the configuration: it must be there, and say the same
/// as the configuration in force. Unset, the platform would leave a function out without a word; empty, it would crash and start
/// again forever; different, one half would work on another topic than the other.
/// </summary>
internal sealed class FunctionsSettings(
    IReadOnlyDictionary<string, string> environment, KafkaTriggerBuild build,
    PipelineOptions options, ResolvedSettings resolved, FaultList faults)
{
    public const string Brokers = "KAFKA_BROKERS";
    public const string Topic = "KAFKA_TOPIC";
    public const string Group = "KAFKA_GROUP";
    public const string Schedule = "POSTGRES_TO_KAFKA_SCHEDULE";
    public const string SaslUsername = "KAFKA_SASL_USERNAME";
    public const string SaslPassword = "KAFKA_SASL_PASSWORD";
    public const string Storage = "AzureWebJobsStorage";

    /// <summary>How the platform hands over what it could not look up.</summary>
    private const string Unresolved = "@Microsoft.KeyVault(";

    public void Check()
    {
        foreach (var name in environment.Where(e => e.Value.StartsWith(Unresolved, StringComparison.Ordinal)).Select(e => e.Key).Order())
            Fault(name, "is a reference to a secret that was not resolved; see to it that the secret is there and that the app's identity "
                + "may read it, and restart the app");
        var kafka = options.Kafka;
        Check(Brokers, "kafka.brokers", kafka.Brokers, SameServers);
        Check(Topic, "kafka.topic", kafka.Topic, Same);
        if (kafka.Topic != "") Check(Group, "kafka.group_id", kafka.EffectiveGroupId, Same);
        CheckSchedule();
        CheckSecurity();
        CheckStorage();
    }

    private void CheckSchedule()
    {
        const string name = "streaming.batch_interval";
        if (resolved.IsBroken(name)) return;
        var interval = options.Streaming.BatchInterval;
        var right = TimerSchedule.For(interval);
        if (Given(Schedule) is not { } schedule)
            Fault(Schedule, $"is {Absence(Schedule)}, and the timer trigger takes its schedule from it; set it to '{right}', "
                + $"since {name} is {interval} s ({OriginOf(name)})");
        else if (TimerSchedule.IntervalOf(schedule) != interval)
            Fault(Schedule, $"is {ShownValue.Of(schedule)}, "
                + $"but {name} is {interval} s ({OriginOf(name)}), which is the schedule '{right}'; "
                + "change the one that is wrong");
    }

    private void CheckSecurity()
    {
        var kafka = options.Kafka;
        if (kafka.UsesTokens)
        {
            FaultOf("kafka.auth", "is entra, and the Kafka trigger takes no token of an identity; set kafka.auth to password, or let "
                + "LocalHost's image (deploy/Dockerfile) run both halves");
            return;
        }
        if (resolved.IsBroken("kafka.security_protocol") || resolved.IsBroken("kafka.sasl_mechanism")) return;
        var configured = new KafkaTriggerBuild(kafka.SecurityProtocol, kafka.SaslMechanism);
        if (configured != build)
        {
            var name = configured.SecurityProtocol != build.SecurityProtocol ? "kafka.security_protocol" : "kafka.sasl_mechanism";
            FaultOf(name, $"is part of {Words(configured)}, but the Kafka trigger of this build speaks {Words(build)}; "
                + $"build FunctionApp with {configured.Options}, or change the configuration");
        }
        else if (build.SaslMechanism is not null)
        {
            Check(SaslUsername, "kafka.sasl_username", kafka.SaslUsername, Same);
            Check(SaslPassword, "kafka.sasl_password", kafka.SaslPassword, Same);
        }
        if (!build.UsesTls) return;
        foreach (var name in new[] { "kafka.ssl_ca_location", "kafka.ssl_certificate_location", "kafka.ssl_key_location" })
            if (resolved.OriginOf(name) is not null)
                FaultOf(name, "has no effect on the Kafka trigger, which trusts the authorities that the system trusts and shows no "
                    + "certificate of its own; add the authority to the system's, and remove the key");
    }

    private void CheckStorage()
    {
        var storage = Given(Storage) ?? "";
        if (storage.Contains("UseDevelopmentStorage=true", StringComparison.OrdinalIgnoreCase))
            Fault(Storage, "is 'UseDevelopmentStorage=true', with which the timer never starts where no storage emulator runs; "
                + "leave it empty: no storage account is needed");
    }

    private void Check(string variable, string name, string? configured, Func<string, string, bool> agree)
    {
        if (string.IsNullOrEmpty(configured) || resolved.IsBroken(name)) return;
        var secret = SettingsReference.Get(name).Secret;
        var shown = secret ? "the value" : ShownValue.Of(configured);
        if (Given(variable) is not { } given)
            Fault(variable, $"is {Absence(variable)}, and the Kafka trigger needs it; "
                + $"set it to {shown}, as {name} has it ({OriginOf(name)})");
        else if (!agree(given, configured))
            Fault(variable, secret
                ? $"differs from {name} ({OriginOf(name)}); neither is shown, since both are secret"
                : $"is {ShownValue.Of(given)}, but {name} is {shown} ({OriginOf(name)}); change the one that is wrong");
    }

    private string? Given(string variable) =>
        environment.TryGetValue(variable, out var value) && !string.IsNullOrWhiteSpace(value) ? value : null;

    private string Absence(string variable) => environment.ContainsKey(variable) ? "empty" : "not set";

    private string OriginOf(string name) => resolved.OriginOf(name)?.ToString() ?? "its default";

    private void Fault(string variable, string message) => faults.Add(Origin.Variable(variable), message);

    private void FaultOf(string name, string message) => faults.Add(resolved.OriginOf(name) ?? Origin.Variable(name), $"{name} {message}");

    private static string Words(KafkaTriggerBuild build) =>
        build.SaslMechanism is null ? build.SecurityProtocol : $"{build.SecurityProtocol} with {build.SaslMechanism}";

    private static bool Same(string given, string configured) => given == configured;

    private static bool SameServers(string given, string configured) => Servers(given).SetEquals(Servers(configured));

    private static HashSet<string> Servers(string list) =>
        list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).ToHashSet(StringComparer.OrdinalIgnoreCase);
}
