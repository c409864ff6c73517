using Confluent.Kafka;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Postgres;

namespace OrdersStream.UnitTests.Configuration;

/// <summary>Secrets in files: read whenever somebody logs in, and a refusal passes once the file is put right.</summary>
public sealed class SecretFileTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("word")]
    [InlineData("word\n")]
    [InlineData("word\r\nanother")]
    [InlineData("\uFEFFword\n")]
    public void a_secret_is_the_first_line(string content) => Assert.Equal("word", SecretFile.Read(Write(content)));

    [Fact]
    public void each_new_client_reads_the_file_anew()
    {
        var kafka = new KafkaOptions { SaslPasswordFile = Write("one"), SslKeyPasswordFile = folder["secret"] };
        Assert.Equal(("one", "one"), (KafkaClients.Common(kafka).SaslPassword, KafkaClients.Common(kafka).SslKeyPassword));
        var postgres = new PostgresOptions { PasswordFile = Write("two") };
        Assert.Equal("two", KafkaClients.Common(kafka).SaslPassword);
        Assert.Contains("Password=two", SourceConnection.ConnectionString(postgres), StringComparison.Ordinal);
    }

    /// <summary>A token is no part of a configuration: it is another one at each login.</summary>
    [Fact]
    public void by_tokens_no_password_is_taken_and_brokers_are_told_that_one_comes()
    {
        var postgres = new PostgresOptions { Auth = "entra", PasswordFile = Write("word"), Password = "word" };
        Assert.DoesNotContain("word", SourceConnection.ConnectionString(postgres), StringComparison.Ordinal);
        Assert.Equal(SaslMechanism.OAuthBearer, KafkaClients.Common(new KafkaOptions { Auth = "entra" }).SaslMechanism);
        Assert.Null(KafkaClients.Common(new KafkaOptions()).SaslMechanism);
    }

    [Theory]
    [InlineData(ErrorCode.SaslAuthenticationFailed, false)]
    [InlineData(ErrorCode.Local_Ssl, true)]
    public void a_refusal_is_tried_again_where_what_proves_who_asks_is_in_a_file(ErrorCode code, bool byCertificate)
    {
        var options = byCertificate ? new KafkaOptions { SslCertificateLocation = "f" } : new KafkaOptions { SaslPasswordFile = "f" };
        var verdict = FailurePolicy.Judge(new ClientErrors(options).FailureOf(new Error(code, "refused")));
        Assert.Equal(FailureAction.Retry, verdict.Action);
        Assert.Contains("'f'", verdict.Problem, StringComparison.Ordinal);
        Assert.Equal(
            FailureAction.Stop, FailurePolicy.Judge(new ClientErrors(new KafkaOptions()).FailureOf(new Error(code, "refused"))).Action);
    }

    private string Write(string content)
    {
        File.WriteAllText(folder["secret"], content);
        return folder["secret"];
    }
}
