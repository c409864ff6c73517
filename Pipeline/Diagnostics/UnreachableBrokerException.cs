using Confluent.Kafka;

namespace OrdersStream.Diagnostics;

/// <summary>
/// Kafka did not answer, and the client knows why: what it asked for failed with a bare time-out, and the cause was told on the side. It
/// bears the code of the failure that it stands for, so whoever goes by codes sees no difference.
/// </summary>
/// <param name="failure">What the client threw.</param>
/// <param name="problem">What is wrong, with the broker's address.</param>
/// <param name="check">What an operator does about it.</param>
public sealed class UnreachableBrokerException(KafkaException failure, string problem, string check)
    : KafkaException(new Error(failure.Error.Code, problem, failure.Error.IsFatal), failure)
{
    public string Problem { get; } = problem;
    public string Check { get; } = check;
}
