using System.Text.RegularExpressions;
using Confluent.Kafka;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;

namespace OrdersStream.Kafka;

/// <summary>
/// What a client tells on the side, as every client of the product is built with it. A call that a wrong password, a wrong certificate or
/// an unreachable broker lets fail ends in a bare time-out; the cause comes earlier, as an error or as a line of the client's log, and is
/// kept here until such a failure asks for it.
/// </summary>
/// <remarks>A consumer hands out errors only to those who consume; its log comes at once.</remarks>
public sealed partial class ClientErrors(KafkaOptions kafka, TimeProvider? time = null)
{
    /// <summary>
    /// How long a cause counts. A client tries at least every two seconds, and repeats what it said at least every thirty; nobody says
    /// that a broker is reached again.
    /// </summary>
    public static readonly TimeSpan Memory = TimeSpan.FromMinutes(1);

    private readonly TimeProvider time = time ?? TimeProvider.System;
    private volatile Told<Error>? refusal;
    private volatile Told<Unreachable>? bootstrap, advertised;
    private volatile Told<FailureVerdict>? noToken;

    /// <summary>A broker or this side has said no to the other; null: nobody has, or it is long ago.</summary>
    public Error? Refusal => Recent(refusal);

    // A password that stands in the configuration is another only behind a new start.
    private string? CredentialsFile =>
        kafka.SaslPasswordFile ?? (string.IsNullOrEmpty(kafka.SaslPassword) ? kafka.SslCertificateLocation : null);

    /// <summary>What a client said that it does not mend by itself.</summary>
    public KafkaException FailureOf(Error error)
    {
        var failure = new KafkaException(error);
        return CauseOf(failure) ?? failure;
    }

    public void OnError(Error error)
    {
        if (KafkaClients.IsRefusal(error)) refusal = new(error, time.GetTimestamp());
        else Note(error.Reason);
    }

    /// <summary>The client was given a token, or there is none for it.</summary>
    public void OnToken(FailureVerdict? failure) => noToken = failure is null ? null : new(failure, time.GetTimestamp());

    public void OnLog(LogMessage line)
    {
        if (line.Facility == "FAIL") Note(Thread().Replace(line.Message, ""));
    }

    /// <summary>What the failure comes from, as a failure of its own; null: it speaks for itself, or the cause is not known.</summary>
    public KafkaException? CauseOf(KafkaException failure)
    {
        failure.Data[FailurePolicy.AskedKey] = kafka.Brokers;
        failure.Data[FailurePolicy.AskedTopicKey] = kafka.Topic;
        NoteLogin(failure);
        if (failure.Error.IsFatal || failure is UnreachableBrokerException) return null;
        if (Recent(noToken) is { } token && (IsNoAnswer(failure.Error.Code) || KafkaClients.IsRefusal(failure.Error)))
            return new UnreachableBrokerException(failure, token.Problem, token.Check);
        if (Refusal is { } refused) return NoteLogin(new KafkaException(refused, failure));
        if (!IsNoAnswer(failure.Error.Code)) return null;
        // Where a broker has told the addresses of all, those of the configuration are no longer what it depends on.
        var (broker, isAdvertised) = (Recent(advertised) ?? Recent(bootstrap), Recent(advertised) is not null);
        return broker is null ? null : Explain(failure, broker, isAdvertised);
    }

    private KafkaException NoteLogin(KafkaException failure)
    {
        if (kafka.UsesTokens) failure.Data[FailurePolicy.TokenKey] = FailurePolicy.TokenKey;
        else failure.Data[FailurePolicy.CredentialsKey] = CredentialsFile;
        return failure;
    }

    private UnreachableBrokerException Explain(KafkaException failure, Unreachable broker, bool isAdvertised) => broker switch
    {
        { IsOtherProtocol: true } => new(failure,
            $"Kafka failed: the broker at {broker.Address} closes the connection: its listener does not speak {kafka.SecurityProtocol}.",
            "Correct kafka.security_protocol, or the port in kafka.brokers."),
        { What: null } when isAdvertised => new(failure,
            $"Kafka failed: the brokers at {kafka.Brokers} answer, but one advertises itself as {broker.Address}, "
            + "which does not resolve here.",
            "Correct its advertised.listeners, or kafka.brokers."),
        { What: null } => new(failure,
            $"Kafka failed: kafka.brokers names {broker.Address}, which does not resolve here.",
            "Correct kafka.brokers, or let the name be resolved."),
        _ when isAdvertised => new(failure,
            $"Kafka failed: the brokers at {kafka.Brokers} answer, but one that advertises itself as {broker.Address} "
            + $"cannot be reached there ({broker.What}).",
            "Check that it runs. If it does, correct its advertised.listeners, or the network between."),
        _ => new(failure,
            $"Kafka failed: nothing answers at {broker.Address}, which kafka.brokers names ({broker.What}).",
            "Check kafka.brokers and that the brokers run."),
    };

    private void Note(string reason)
    {
        if (Failure().Match(reason) is not { Success: true } failure || Unreachable.From(failure) is not { } broker) return;
        var told = new Told<Unreachable>(broker, time.GetTimestamp());
        // Of a coordinator and of a broker with a number an address is known only because a broker told it.
        if (failure.Groups["id"].Value == "bootstrap") bootstrap = told;
        else advertised = told;
    }

    private T? Recent<T>(Told<T>? told) where T : class =>
        told is not null && time.GetElapsedTime(told.At) <= Memory ? told.What : null;

    private static bool IsNoAnswer(ErrorCode code) =>
        code is ErrorCode.Local_TimedOut or ErrorCode.Local_Transport or ErrorCode.Local_AllBrokersDown or ErrorCode.Local_Resolve
            or ErrorCode.Local_TimedOutQueue or ErrorCode.Local_MsgTimedOut;

    private sealed record Told<T>(T What, long At) where T : class;

    /// <param name="Address">Host and port.</param>
    /// <param name="What">What came of connecting; null: the name does not resolve.</param>
    /// <param name="IsOtherProtocol">It can be reached, and speaks another protocol.</param>
    private sealed record Unreachable(string Address, string? What, bool IsOtherProtocol = false)
    {
        public static Unreachable? From(Match failure)
        {
            var (address, what) = (failure.Groups["address"].Value, failure.Groups["what"].Value);
            if (Unresolved().Match(what) is { Success: true } name) return new(name.Groups[1].Value, null);
            if (address.Length == 0) return null;
            if (OtherProtocol().IsMatch(what)) return new(address, what, IsOtherProtocol: true);
            if (Unconnected().Match(what) is { Success: true } refused) return new(address, refused.Groups[1].Value);
            return what.StartsWith("Connection setup timed out", StringComparison.Ordinal) ? new(address, "no answer") : null;
        }
    }

    // librdkafka: "ssl://host:9093/1: Connect to ipv4#10.0.0.1:9093 failed: Connection refused (after 1ms in state CONNECT)", and of the
    // connection to a coordinator "GroupCoordinator: host:9093: ...".
    [GeneratedRegex(
        @"^(?:(?:\w+://)?(?<address>[^/\s]+:\d+)/(?<id>\w+)|\w+Coordinator(?:: (?:\w+://)?(?<address>[^/\s]+:\d+))?): "
        + @"(?<what>.+?)(?: \(after \d+ms.*)?$", RegexOptions.Singleline)]
    private static partial Regex Failure();

    [GeneratedRegex(@"^\[thrd:[^\]]*\]: ")]
    private static partial Regex Thread();

    [GeneratedRegex(@"^Failed to resolve '([^']+)'")]
    private static partial Regex Unresolved();

    [GeneratedRegex(@"^Connect to \S+ failed: (.+)$")]
    private static partial Regex Unconnected();

    [GeneratedRegex(@"connecting to an? (?:PLAINTEXT|SSL)\b.*listener\?")]
    private static partial Regex OtherProtocol();
}
