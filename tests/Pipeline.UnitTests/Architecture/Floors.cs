namespace OrdersStream.UnitTests.Architecture;

/// <summary>A room: one namespace, one folder.</summary>
/// <param name="Name">Below OrdersStream, or of a host's project from its name on.</param>
/// <param name="MayUse">The rooms that its code may name; none of them stands behind it in the list.</param>
internal sealed record Room(string Name, params string[] MayUse);

/// <summary>Which room may use which, as data: imports run downwards only, and there is no exception.</summary>
internal static class Floors
{
    private static readonly string[] Ground = ["Configuration", "Memory", "Diagnostics", "Durable"];

    /// <summary>From the ground up. docs/architecture.md draws the same.</summary>
    public static readonly Room[] Rooms =
    [
        new("Configuration"),
        new("Memory"),
        new("Diagnostics", "Configuration"),
        new("Identity", "Diagnostics"),
        new("Durable", "Diagnostics"),
        new("Kafka", "Configuration", "Diagnostics", "Identity"),
        new("Kafka.Native", "Configuration", "Memory", "Kafka"),
        new("Rows", "Memory", "Diagnostics", "Durable"),
        new("Postgres", "Configuration", "Memory", "Diagnostics", "Identity", "Rows"),
        new("ParquetFormat", "Configuration", "Memory", "Diagnostics", "Rows"),
        new("Lake.Files", "Durable"),
        new("Lake", "Configuration", "Memory", "Diagnostics", "Durable", "Kafka", "Rows", "ParquetFormat", "Lake.Files"),
        new("Capture", [.. Ground, "Kafka", "Kafka.Native", "Rows", "Postgres"]),
        new("Store", [.. Ground, "Kafka", "Kafka.Native", "Rows", "ParquetFormat", "Lake", "Lake.Files"]),
        new("Status", "Configuration", "Diagnostics", "Durable", "Kafka", "Rows", "Postgres", "Lake", "Lake.Files", "Capture", "Store"),
        new("Audit", [.. Ground, "Kafka", "Rows", "Postgres", "Lake", "Lake.Files", "Capture"]),
        new("Doctor", "Configuration", "Diagnostics", "Durable", "Kafka", "Rows", "Postgres", "Lake", "Lake.Files", "Capture"),
        new("Replay", "Configuration", "Diagnostics", "Durable", "Kafka", "Rows", "Lake", "Lake.Files"),
        new("Hosting", [
            "Configuration", "Diagnostics", "Durable", "Kafka", "Rows", "Postgres", "Lake.Files", "Capture", "Store", "Status", "Audit",
            "Doctor", "Replay",
        ]),
        new("Hosting.Loops", "Configuration", "Diagnostics", "Capture", "Store", "Audit", "Hosting"),
        new("Hosting.Functions", "Configuration", "Diagnostics", "Kafka", "Capture", "Store", "Audit", "Hosting"),
        new("Site", "Diagnostics", "Doctor", "Hosting", "Status"),
        new("Site.Server", "Diagnostics", "Hosting", "Status", "Site"),
        new("Demo.Servers"),
        new("Demo.Traffic", "Capture", "Store"),
        new("Demo", [
            .. Ground, "Kafka", "Rows", "Lake", "Lake.Files", "Capture", "Store", "Status", "Audit", "Hosting", "Hosting.Loops",
            "Site.Server", "Demo.Servers", "Demo.Traffic",
        ]),
        new("LocalHost.Terminal", "Diagnostics"),
        new("LocalHost.Verbs", [
            "Configuration", "Diagnostics", "Durable", "Capture", "Store", "Status", "Audit", "Doctor", "Replay", "Hosting",
            "Hosting.Loops", "Site.Server", "Demo", "Demo.Servers", "LocalHost.Terminal",
        ]),
        new("LocalHost.CommandLine", [
            "Configuration", "Diagnostics", "Replay", "Hosting.Loops", "Site.Server", "Demo", "LocalHost.Terminal", "LocalHost.Verbs",
        ]),
        new("LocalHost", "LocalHost.Terminal", "LocalHost.CommandLine"),
        new("FunctionApp", [
            "Configuration", "Diagnostics", "Durable", "Kafka", "Capture", "Store", "Status", "Hosting", "Hosting.Functions", "Site",
        ]),
    ];

    /// <summary>Which project is built from which.</summary>
    public static readonly Room[] Projects =
    [
        new("Pipeline"),
        new("Site", "Pipeline"),
        new("Demo", "Pipeline", "Site"),
        new("LocalHost", "Pipeline", "Site", "Demo"),
        new("FunctionApp", "Pipeline", "Site"),
    ];

    public static bool May(string room, string use) => room == use || Rooms.Any(r => r.Name == room && r.MayUse.Contains(use));
}
