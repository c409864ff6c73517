using System.Diagnostics.CodeAnalysis;

namespace OrdersStream.TestKit.Servers;

/// <summary>What the environment says to the tests: where servers are, and whether a missing one is a failure.</summary>
public static class TestEnvironment
{
    /// <summary>Npgsql connection string of a superuser on a Postgres to use instead of a private one.</summary>
    public const string Postgres = "ORDERS_STREAM_TEST_POSTGRES";

    /// <summary>Bootstrap address (host:port) of a real broker to use.</summary>
    public const string Kafka = "ORDERS_STREAM_TEST_KAFKA";

    /// <summary>
    /// A script that starts a real broker: <c>start DIR</c> prints host:port, <c>stop DIR</c> stops it; the broker's process id is in
    /// <c>DIR/pid</c>.
    /// </summary>
    public const string KafkaLauncher = "ORDERS_STREAM_KAFKA_LAUNCHER";

    public static bool IsContinuousIntegration => string.Equals(Read("CI"), "true", StringComparison.OrdinalIgnoreCase);

    public static string? Read(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;

    /// <summary>The test cannot run: skipped on a laptop, a failure in CI, where a run that tests nothing must not look green.</summary>
    [DoesNotReturn]
    public static void MissingServer(string reason)
    {
        if (IsContinuousIntegration) Assert.Fail($"{reason} (CI=true: a missing server is a failure.)");
        Assert.Skip(reason);
    }
}
