using Confluent.Kafka;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;

namespace OrdersStream.UnitTests.Kafka;

public sealed class ClientErrorsTests
{
    private const string Unresolved =
        "kafka-in-docker:29092/1: Failed to resolve 'kafka-in-docker:29092': Name or service not known (after 1ms in state CONNECT)";

    private static readonly KafkaException TimedOut = new(new Error(ErrorCode.Local_TimedOut, "Failed while waiting for controller"));

    private readonly TestTime time = new();
    private readonly ClientErrors errors;

    public ClientErrorsTests() => errors = new(new KafkaOptions { Brokers = "localhost:9092", SecurityProtocol = "ssl" }, time);

    [Theory]
    [InlineData(Unresolved,
        "the brokers at localhost:9092 answer, but one advertises itself as kafka-in-docker:29092, which does not resolve here.",
        "advertised.listeners")]
    [InlineData("GroupCoordinator: Failed to resolve 'kafka-in-docker:29092': Name or service not known (after 1ms in state CONNECT)",
        "advertises itself as kafka-in-docker:29092, which does not resolve here.", "advertised.listeners")]
    [InlineData("TxnCoordinator: b2:9092: Connect to ipv4#10.0.0.2:9092 failed: Connection refused (after 0ms in state CONNECT)",
        "one that advertises itself as b2:9092 cannot be reached there (Connection refused).", "Check that it runs.")]
    [InlineData("sasl_ssl://b2:9092/7: Connection setup timed out in state CONNECT (after 10003ms in state CONNECT)",
        "one that advertises itself as b2:9092 cannot be reached there (no answer).", "Check that it runs.")]
    [InlineData("nowhere:9092/bootstrap: Failed to resolve 'nowhere:9092': Name or service not known (after 1ms in state CONNECT)",
        "kafka.brokers names nowhere:9092, which does not resolve here.", "Correct kafka.brokers")]
    [InlineData("localhost:9092/bootstrap: Connect to ipv4#127.0.0.1:9092 failed: Connection refused (after 0ms in state CONNECT, "
        + "3 identical error(s) suppressed)",
        "nothing answers at localhost:9092, which kafka.brokers names (Connection refused).", "Check kafka.brokers")]
    [InlineData("ssl://localhost:9092/bootstrap: SSL handshake failed: Disconnected: SSL connection closed by peer: connecting to "
        + "a PLAINTEXT broker listener? (after 2ms in state SSL_HANDSHAKE)",
        "the broker at localhost:9092 closes the connection: its listener does not speak ssl.", "kafka.security_protocol")]
    [InlineData("localhost:9092/bootstrap: Disconnected while requesting ApiVersion: might be caused by incorrect "
        + "security.protocol configuration (connecting to a SSL listener?) or broker version is < 0.10 (see api.version.request) "
        + "(after 1ms in state APIVERSION_QUERY)",
        "its listener does not speak ssl.", "kafka.security_protocol")]
    public void a_time_out_is_told_by_its_cause(string told, string problem, string check)
    {
        errors.OnLog(new LogMessage("client", SyslogLevel.Error, "FAIL", $"[thrd:somewhere]: {told}"));

        var verdict = FailurePolicy.Judge(errors.CauseOf(TimedOut)!);
        Assert.Equal(FailureAction.Retry, verdict.Action);
        Assert.Contains(problem, verdict.Problem);
        Assert.Contains(check, verdict.Check);
    }

    [Theory]
    [InlineData("localhost:9092/1: Disconnected (after 60005ms in state UP)")]
    [InlineData("1/1 brokers are down")]
    [InlineData("GroupCoordinator: Disconnected (after 10ms in state UP)")]
    public void what_is_no_cause_leaves_a_time_out_as_it_is(string told)
    {
        errors.OnError(new Error(ErrorCode.Local_Transport, told));
        Assert.Null(errors.CauseOf(TimedOut));
    }

    [Fact]
    public void an_advertised_address_counts_for_more_than_a_configured_one()
    {
        errors.OnError(new Error(ErrorCode.Local_Resolve, Unresolved));
        errors.OnError(new Error(ErrorCode.Local_Transport, "b:9092/bootstrap: Connect to ipv4#10.0.0.9:9092 failed: Connection refused"));
        Assert.Contains("kafka-in-docker", errors.CauseOf(TimedOut)!.Message);
    }

    [Fact]
    public void a_cause_counts_for_a_while_only()
    {
        errors.OnError(new Error(ErrorCode.Local_Resolve, Unresolved));
        errors.OnError(new Error(ErrorCode.Local_Authentication, "wrong"));
        time.Advance(ClientErrors.Memory + TimeSpan.FromSeconds(1));
        Assert.Null(errors.Refusal);
        Assert.Null(errors.CauseOf(TimedOut));
    }

    [Fact]
    public void a_refusal_counts_for_more_than_an_address()
    {
        errors.OnError(new Error(ErrorCode.Local_Authentication, "wrong"));
        errors.OnError(new Error(ErrorCode.Local_Resolve, Unresolved));
        Assert.Equal(ErrorCode.Local_Authentication, errors.CauseOf(TimedOut)!.Error.Code);
    }

    [Theory, InlineData(ErrorCode.Local_TimedOut), InlineData(ErrorCode.Local_Authentication)]
    public void a_token_that_there_is_not_is_told_for_the_time_out_and_the_refusal_that_come_of_it(ErrorCode code)
    {
        errors.OnToken(new FailureVerdict(FailureAction.Retry, "Entra ID gave no token for x.", "Look there."));
        errors.OnError(new Error(ErrorCode.Local_Authentication, "Failed to acquire SASL OAUTHBEARER token"));
        var verdict = FailurePolicy.Judge(errors.CauseOf(new KafkaException(code))!);
        Assert.Equal(
            (FailureAction.Retry, "Entra ID gave no token for x.", "Look there."), (verdict.Action, verdict.Problem, verdict.Check));
        errors.OnToken(null);
        Assert.Contains("Kafka refused the login", FailurePolicy.Judge(errors.CauseOf(TimedOut)!).Problem);
    }

    [Fact]
    public void a_token_that_the_brokers_refuse_is_told_as_one_and_the_next_is_tried()
    {
        var byToken = new ClientErrors(
            new KafkaOptions { Brokers = "e:9093", Auth = "entra", SslCertificateLocation = "client.pem" }, time);
        byToken.OnError(new Error(ErrorCode.SaslAuthenticationFailed, "invalid_token"));
        var verdict = FailurePolicy.Judge(byToken.CauseOf(TimedOut)!);
        Assert.Equal(FailureAction.Retry, verdict.Action);
        Assert.Equal("Kafka refused the login by a token of Entra ID (SaslAuthenticationFailed, at e:9093).", verdict.Problem);
    }

    [Fact]
    public void a_failure_that_speaks_for_itself_is_left_as_it_is()
    {
        errors.OnError(new Error(ErrorCode.Local_Resolve, Unresolved));
        errors.OnToken(new FailureVerdict(FailureAction.Retry, "no token", "look"));
        Assert.Null(errors.CauseOf(new KafkaException(ErrorCode.TopicAuthorizationFailed)));
        Assert.Null(errors.CauseOf(new KafkaException(new Error(ErrorCode.Local_TimedOut, "fatal", isFatal: true))));
    }

    [Fact]
    public void the_cause_bears_the_code_of_the_failure_that_it_stands_for()
    {
        errors.OnError(new Error(ErrorCode.Local_Resolve, Unresolved));
        var cause = Assert.IsType<UnreachableBrokerException>(errors.CauseOf(TimedOut));
        Assert.Equal((ErrorCode.Local_TimedOut, TimedOut), (cause.Error.Code, cause.InnerException));
    }
}
