using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;

namespace OrdersStream.Capture;

/// <summary>
/// Says what a page waits for where the brokers do not take it soon: the client is patient with brokers that come back, and tells nothing
/// before its time is over. A topic that was deleted does not come back: that ends the wait.
/// </summary>
/// <param name="admin">Asks the brokers.</param>
/// <param name="topic">The topic that the page goes to.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Told once a page, and again when it is something else.</param>
internal sealed class PageWait(TopicAdmin admin, TopicIdentity topic, TimeProvider time, ILogger logger)
{
    public static readonly TimeSpan ToldAfter = TimeSpan.FromSeconds(5);

    /// <summary>The page is in the topic.</summary>
    /// <param name="page">Its number.</param>
    /// <param name="send">Sends it, until its token ends that.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="PipelineException">The topic is not there any more.</exception>
    public async Task<T> OfAsync<T>(long page, Func<CancellationToken, Task<T>> send, CancellationToken cancellationToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var gone = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var sending = send(gone.Token);
        var looking = sending.IsCompleted ? Task.FromResult<PipelineException?>(null) : LookAsync(page, over.Token);
        try
        {
            if (await Task.WhenAny(sending, looking) == looking && await looking is { } failure)
            {
                await gone.CancelAsync();
                try
                {
                    return await sending;
                }
                catch (Exception e) when (e is OperationCanceledException or KafkaException && !cancellationToken.IsCancellationRequested)
                {
                    throw failure;
                }
            }
            return await sending;
        }
        catch (KafkaException e) when (e.Error.Code
            is ErrorCode.UnknownTopicOrPart or ErrorCode.Local_UnknownTopic or ErrorCode.Local_UnknownPartition
            // What waited for a partition that the topic has no more.
            or ErrorCode.Local_Destroy)
        {
            if ((await WhyAsync(cancellationToken)).Failure is { } failure) throw failure;
            throw;
        }
        finally
        {
            await over.CancelAsync();
            await looking;
        }
    }

    private async Task<PipelineException?> LookAsync(long page, CancellationToken cancellationToken)
    {
        var begun = time.GetTimestamp();
        var told = "";
        try
        {
            while (true)
            {
                await Task.Delay(ToldAfter, time, cancellationToken);
                var (why, failure) = await WhyAsync(cancellationToken);
                if (failure is not null) return failure;
                if (why != told) logger.PageWaits(page, time.GetElapsedTime(begun).TotalSeconds, told = why);
            }
        }
        catch (OperationCanceledException)
        {
            // It is sent, or given up.
            return null;
        }
    }

    private async Task<(string Why, PipelineException? Failure)> WhyAsync(CancellationToken cancellationToken)
    {
        if (topic.TopicId is null) return ("they have not acknowledged it", null);
        try
        {
            return ("they have not acknowledged it, though they answer, and the topic is there",
                IsGone(await admin.FindAsync(cancellationToken)));
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            var verdict = FailurePolicy.Judge(e);
            return ($"{verdict.Problem} {verdict.Check}", null);
        }
    }

    private PipelineException? IsGone(TopicDescription? present)
    {
        if (present is not null && topic.Matches(present.Identity)) return null;
        var what = present is null ? "is not there any more" : "is another, of the same name";
        return new(new FailureVerdict(FailureAction.Retry,
            $"Topic '{topic.Topic}' {what}: it was deleted while a page was sent to it.",
            "Capture looks where it has got to, and says what is to be done.", SeesItself: true)
        {
            Kind = "deleted topic",
        });
    }
}
