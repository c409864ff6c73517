using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Hosting.Loops;
using OrdersStream.TestKit;

namespace OrdersStream.ReliabilityTests.Security;

/// <summary>
/// Kafka over SASL_SSL with SCRAM, Postgres over TLS with verify-full: rows pass, and whoever is not who it should be is refused.
/// </summary>
public sealed class EncryptedConnectionTests(GuardedServers servers) : IClassFixture<GuardedServers>
{
    private const string WrongPassword = "wrong-secret-word";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task rows_pass_over_encrypted_connections()
    {
        await using var stream = await servers.CreateStreamAsync();
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, 'row ' || i FROM generate_series(1, 500) i");
        await using var run = stream.NewRun();

        Assert.True(await run.OnceAsync(null, Cancellation));

        Assert.Equal(500, stream.Lake.Count());
        await stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task the_pollers_session_is_an_encrypted_one()
    {
        await using var stream = await servers.CreateStreamAsync();
        await stream.PollAsync();

        Assert.Equal("TLSv1.3", await stream.Database.ScalarAsync<string>(
            "SELECT version FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'orders-stream' "
            + "AND datname = current_database()"));
    }

    [Fact]
    public Task a_certificate_of_postgres_by_an_unknown_authority_is_refused() => IsRefusedAsync(
        o => o with { Postgres = o.Postgres with { Sslrootcert = servers.StrangersAuthority } }, "postgres.sslrootcert");

    [Fact]
    public Task a_postgres_whose_certificate_has_another_name_is_refused() => IsRefusedAsync(
        o => o with { Postgres = o.Postgres with { Host = "127.0.0.1" } }, "host name");

    [Fact]
    public Task a_wrong_password_for_postgres_is_refused() => IsRefusedAsync(
        o => o with { Postgres = o.Postgres with { Password = WrongPassword } }, "postgres.password");

    [Fact]
    public Task no_password_for_postgres_is_refused() => IsRefusedAsync(
        o => o with { Postgres = o.Postgres with { Password = null } }, "postgres.password");

    [Theory, InlineData(null), InlineData(PipelineHalf.KafkaToLake)]
    public Task a_certificate_of_a_broker_by_an_unknown_authority_is_refused(PipelineHalf? half) => IsRefusedAsync(
        o => o with { Kafka = o.Kafka with { SslCaLocation = servers.StrangersAuthority } }, "kafka.ssl_ca_location", half);

    [Theory, InlineData(null), InlineData(PipelineHalf.KafkaToLake)]
    public Task a_broker_whose_certificate_has_another_name_is_refused(PipelineHalf? half) => IsRefusedAsync(
        o => o with { Kafka = o.Kafka with { Brokers = o.Kafka.Brokers.Replace("localhost", "127.0.0.1", StringComparison.Ordinal) } },
        "host name", half);

    [Theory, InlineData(null), InlineData(PipelineHalf.KafkaToLake)]
    public Task a_wrong_password_for_kafka_is_refused(PipelineHalf? half) => IsRefusedAsync(
        o => o with { Kafka = o.Kafka with { SaslPassword = WrongPassword } }, "kafka.sasl_password", half);

    /// <summary>By a file, a refusal passes: whoever rotates a password need not start anything anew.</summary>
    [Fact]
    public async Task a_password_for_kafka_that_is_put_right_in_its_file_is_taken_by_both_halves_as_they_run()
    {
        using var folder = new TestFolder();
        var file = Path.Combine(folder.Path, "password");
        await File.WriteAllTextAsync(file, WrongPassword, Cancellation);
        await using var stream = await servers.CreateStreamAsync(
            o => o with { Kafka = o.Kafka with { SaslPassword = null, SaslPasswordFile = file } });
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (1)");
        using var stop = new CancellationTokenSource();
        await using var run = stream.NewRun();
        var running = run.UntilStoppedAsync(null, null, stop.Token, Cancellation);
        await stream.UntilAsync(
            () => new[] { "PostgresToKafka", "KafkaToLake" }.All(half => stream.Log.Warnings.Any(
                w => w.Contains(half, StringComparison.Ordinal) && w.Contains($"with what '{file}' holds", StringComparison.Ordinal))),
            running, () => "not both halves say that they are refused");

        await File.WriteAllTextAsync(file, GuardedServers.KafkaPassword, Cancellation);
        await stream.UntilStoredAsync(1, running);
        await stop.CancelAsync();
        await running;

        foreach (var secret in new[] { WrongPassword, GuardedServers.KafkaPassword })
            Assert.DoesNotContain(secret, stream.Log.ToString(), StringComparison.Ordinal);
    }

    /// <summary>Stops at once, says what to check, and tells no secret.</summary>
    private async Task IsRefusedAsync(Func<PipelineOptions, PipelineOptions> wrong, string check, PipelineHalf? half = null)
    {
        await using var stream = await servers.CreateStreamAsync(wrong);
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (1)");
        await using var run = stream.NewRun();

        var refused = await Assert.ThrowsAsync<HalfStoppedException>(() => run.OnceAsync(half, Cancellation));

        Assert.Equal(FailureAction.Stop, refused.Verdict.Action);
        Assert.False(refused.Verdict.IsDefect, refused.ToString());
        Assert.Contains(check, refused.Message, StringComparison.Ordinal);
        Assert.Empty(stream.Lake.Files);
        foreach (var secret in new[] { WrongPassword, GuardedServers.KafkaPassword, GuardedServers.PostgresPassword })
            Assert.DoesNotContain(secret, $"{refused}\n{refused.Verdict}\n{stream.Log}", StringComparison.Ordinal);
    }
}
