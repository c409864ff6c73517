using Confluent.Kafka;
using OrdersStream.Diagnostics;

namespace OrdersStream.TestKit;

/// <summary>
/// A server of a busy machine may be late with an answer: the product gives the poll or the batch up after seconds, and its callers, a loop
/// or a platform, call it again. A test that is the caller does the same, for this failure and for no other.
/// </summary>
public static class LateAnswers
{
    private const int CallsMax = 5;

    public static async Task<T> AskAgainAsync<T>(Func<Task<T>> call)
    {
        for (var calls = 1;; calls++)
        {
            try
            {
                return await call();
            }
            catch (Exception e) when (calls < CallsMax && IsLate(e))
            {
                // The call has taken its time already: no pause is needed. Each repeat stands in the test's output.
                TestContext.Current.TestOutputHelper?.WriteLine($"late, called again: {e.Message}");
            }
        }
    }

    public static Task AskAgainAsync(Func<Task> call) => AskAgainAsync(async () =>
    {
        await call();
        return true;
    });

    private static bool IsLate(Exception? e) => e switch
    {
        null => false,
        TimeoutException => true,
        KafkaException { Error.Code: ErrorCode.Local_TimedOut or ErrorCode.Local_TimedOutQueue or ErrorCode.RequestTimedOut } => true,
        // A topic is there for whoever made it before it is for whoever asks.
        PipelineException { Action: FailureAction.Retry } p when p.Problem.Contains("is not visible after", StringComparison.Ordinal) =>
            true,
        _ => IsLate(e.InnerException),
    };
}
