using System.Net;
using System.Net.Sockets;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using OrdersStream.Configuration;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Security;

/// <summary>
/// A broker that talks SASL_SSL and a Postgres that talks TLS, with certificates made for them, and clients that prove who they are.
/// </summary>
public sealed class GuardedServers : IAsyncLifetime
{
    private const string KafkaUser = "orders-stream-test";

    /// <summary>Marks of what no line may hold.</summary>
    public const string KafkaPassword = "kafka-secret-word", PostgresPassword = PostgresServer.RolePassword;

    private readonly Certificates certificates = Certificates.Make();
    private readonly Certificates strangers = Certificates.Make();
    private readonly int[] ports = FreePorts(3);
    private PostgresServer? postgres;
    private KafkaServer? kafka;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>An authority that signed none of the servers' certificates.</summary>
    public string StrangersAuthority => strangers.Authority;

    /// <summary>Where the broker asks for SASL over TLS, by the name that its certificate has.</summary>
    public string GuardedBrokers => $"localhost:{ports[1]}";

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    /// <summary>A stream whose halves reach both servers over TLS.</summary>
    /// <param name="configure">What this test configures otherwise.</param>
    public async Task<TestStream> CreateStreamAsync(Func<PipelineOptions, PipelineOptions>? configure = null)
    {
        await StartAsync();
        return await TestStream.CreateAsync(
            postgres!, kafka!, TestStream.Items + $"GRANT SELECT ON items TO {PostgresServer.PipelineRole};",
            configure: o => configure is null ? Guarded(o) : configure(Guarded(o)));
    }

    /// <summary>Changes the password of the role.</summary>
    public Task GiveRoleAsync(string password) =>
        postgres!.ExecuteAsync($"ALTER ROLE {PostgresServer.PipelineRole} PASSWORD '{password}'");

    public async ValueTask DisposeAsync()
    {
        if (postgres is not null) await postgres.DisposeAsync();
        if (kafka is not null) await kafka.DisposeAsync();
        certificates.Dispose();
        strangers.Dispose();
    }

    private PipelineOptions Guarded(PipelineOptions options) => options with
    {
        Postgres = options.Postgres with
        {
            Host = "localhost",
            Port = postgres!.Port,
            User = PostgresServer.PipelineRole,
            Password = PostgresPassword,
            Sslmode = "verify-full",
            Sslrootcert = certificates.Authority,
        },
        Kafka = options.Kafka with
        {
            Brokers = GuardedBrokers,
            SecurityProtocol = "sasl_ssl",
            SaslMechanism = "SCRAM-SHA-512",
            SaslUsername = KafkaUser,
            SaslPassword = KafkaPassword,
            SslCaLocation = certificates.Authority,
        },
    };

    /// <summary>With the first test, so that a missing server is that test's outcome; one beside the other.</summary>
    private async Task StartAsync()
    {
        if (kafka is not null) return;
        await certificates.GiveToPostgresAsync(Cancellation);
        var starting = KafkaServer.StartOwnAsync(
            $"{ports[0]}",
            $"listeners=PLAINTEXT://127.0.0.1:{ports[0]},SASL_SSL://127.0.0.1:{ports[1]},CONTROLLER://127.0.0.1:{ports[2]}",
            $"advertised.listeners=PLAINTEXT://127.0.0.1:{ports[0]},SASL_SSL://localhost:{ports[1]}",
            $"controller.quorum.voters=1@127.0.0.1:{ports[2]}",
            "sasl.enabled.mechanisms=SCRAM-SHA-512,OAUTHBEARER",
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;",
            // By tokens that nobody has signed; a connection ends with its token.
            "listener.name.sasl_ssl.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule "
            + "required unsecuredLoginStringClaim_sub=\"broker\";",
            "listener.name.sasl_ssl.oauthbearer.connections.max.reauth.ms=3600000",
            "ssl.keystore.type=PEM",
            $"ssl.keystore.location={certificates.ServerStore}",
            "ssl.truststore.type=PEM",
            $"ssl.truststore.location={certificates.Authority}");
        postgres ??= await PostgresServer.StartOwnOverTcpAsync(
            ("ssl", "on"), ("ssl_cert_file", certificates.Server), ("ssl_key_file", certificates.ServerKey));
        var broker = await starting;
        await CreateUserAsync(broker.Brokers);
        kafka = broker;
    }

    private static async Task CreateUserAsync(string brokers)
    {
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = brokers })
            .SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();
        await admin.AlterUserScramCredentialsAsync([new UserScramCredentialUpsertion
        {
            User = KafkaUser,
            Password = System.Text.Encoding.UTF8.GetBytes(KafkaPassword),
            ScramCredentialInfo = new ScramCredentialInfo { Mechanism = ScramMechanism.ScramSha512, Iterations = 4096 },
        }]).WaitAsync(Cancellation);
        // The controller knows the user at once, the broker a moment later.
        await Waiting.UntilAsync(() => IsKnownAsync(admin), null, () => "the broker does not know the user");
    }

    private static async Task<bool> IsKnownAsync(IAdminClient admin)
    {
        try
        {
            var answer = await admin.DescribeUserScramCredentialsAsync([KafkaUser]).WaitAsync(Cancellation);
            return answer.UserScramCredentialsDescriptions.Single().ScramCredentialInfos.Count > 0;
        }
        catch (DescribeUserScramCredentialsException)
        {
            return false;
        }
    }

    /// <summary>Below the range that the system takes for clients, so that no connection has one meanwhile.</summary>
    private static int[] FreePorts(int count)
    {
        var free = new HashSet<int>();
        while (free.Count < count)
        {
            var port = Random.Shared.Next(10_000, 30_000);
            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, port);
                listener.Start();
                free.Add(port);
            }
            catch (SocketException)
            {
                // Taken.
            }
        }
        return [.. free];
    }
}
