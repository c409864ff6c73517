using System.Net.Sockets;
using Confluent.Kafka;
using Npgsql;
using OrdersStream.Diagnostics;
using OrdersStream.Rows;

namespace OrdersStream.UnitTests.Diagnostics;

public sealed class FailurePolicyTests
{
    private static PostgresException Postgres(string state) => new("text", "ERROR", "ERROR", state);
    private static KafkaException Kafka(ErrorCode code) => new(new Error(code));

    public static TheoryData<Exception, FailureAction> Table() => new()
    {
        { Postgres("57P01"), FailureAction.Retry },   // terminated by an administrator
        { Postgres("57P03"), FailureAction.Retry },   // starting up
        { Postgres("53300"), FailureAction.Retry },   // too many connections
        { Postgres("40001"), FailureAction.Retry },
        { Postgres("55006"), FailureAction.Retry },
        { Postgres("28P01"), FailureAction.Stop },    // wrong password
        { Postgres("3D000"), FailureAction.Stop },
        { Postgres("42501"), FailureAction.Stop },
        { Postgres("42703"), FailureAction.Stop },
        { Postgres("XX001"), FailureAction.Stop },
        { new NpgsqlException("x", new SocketException((int)SocketError.ConnectionRefused)), FailureAction.Retry },
        { new NpgsqlException("x", new IOException("cut")), FailureAction.Retry },
        { new NpgsqlException("x", new TimeoutException()), FailureAction.Retry },
        { new NpgsqlException("x", new System.Security.Authentication.AuthenticationException("bad certificate")), FailureAction.Stop },
        { Kafka(ErrorCode.Local_Transport), FailureAction.Retry },
        { Kafka(ErrorCode.Local_AllBrokersDown), FailureAction.Retry },
        { Kafka(ErrorCode.Local_Fenced), FailureAction.Retry },
        { Kafka(ErrorCode.NotEnoughReplicas), FailureAction.Retry },
        { Kafka(ErrorCode.SaslAuthenticationFailed), FailureAction.Stop },
        { Kafka(ErrorCode.TopicAuthorizationFailed), FailureAction.Stop },
        { Kafka(ErrorCode.MsgSizeTooLarge), FailureAction.Stop },
        { Kafka(ErrorCode.OffsetOutOfRange), FailureAction.Stop },
        { new IOException("full", 28), FailureAction.Retry },
        { new UnauthorizedAccessException(), FailureAction.Stop },
        { new UndecodableException("column x: expected a number"), FailureAction.Quarantine },
        { new PipelineException(FailureAction.Retry, "a.", "b."), FailureAction.Retry },
        { new InvalidOperationException(), FailureAction.Stop },
        { new NullReferenceException(), FailureAction.Stop },
    };

    [Theory]
    [MemberData(nameof(Table))]
    public void each_kind_of_failure_has_its_action_and_a_remedy(Exception failure, FailureAction expected)
    {
        var verdict = FailurePolicy.Judge(failure);
        Assert.Equal(expected, verdict.Action);
        Assert.NotEmpty(verdict.Problem);
        Assert.NotEmpty(verdict.Remedy);
    }

    [Fact]
    public void only_what_a_half_says_promises_another_try()
    {
        var verdict = FailurePolicy.Judge(Kafka(ErrorCode.Local_Transport));
        Assert.Equal("Check kafka.brokers and that the brokers run.", verdict.Check);
        Assert.Equal($"It is tried again with growing pauses; nothing is lost meanwhile. {verdict.Check}", verdict.Remedy);
    }

    [Fact]
    public void a_verdict_never_repeats_the_text_of_a_failure_that_may_hold_values() =>
        Assert.DoesNotContain("secret-row-value", FailurePolicy.Judge(new InvalidOperationException("secret-row-value")).ToString());
}
