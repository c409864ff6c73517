using System.Runtime.ExceptionServices;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Hosting;
using OrdersStream.Hosting.Functions;
using OrdersStream.TestKit;

namespace OrdersStream.FunctionApp.Tests;

/// <summary>
/// One worker process's services, as the app registers them, and its functions, made for each call as the platform makes them.
/// </summary>
internal sealed class AppWorker : IAsyncDisposable
{
    private readonly ServiceProvider services;

    /// <param name="appFolder">Where the app's files lie.</param>
    /// <param name="environment">What the platform sets.</param>
    /// <param name="log">Where the log goes.</param>
    /// <param name="onReached">Called at each crash point.</param>
    /// <param name="time">The clock; null: the system's.</param>
    /// <param name="forced">For a broker that answers no admin calls, which no key of the file can say; null: the file is all.</param>
    /// <param name="limit">What a batch may have; null: by host.json and the memory.</param>
    public AppWorker(
        string appFolder, IReadOnlyDictionary<string, string> environment, ILoggerProvider log,
        Action<CrashPoint>? onReached = null, TimeProvider? time = null, PipelineOptions? forced = null, BatchLimit? limit = null)
    {
        var collection = new ServiceCollection()
            .AddLogging(l => l.SetMinimumLevel(LogLevel.Information).AddProvider(log))
            .AddSingleton(new CrashPoints(onReached));
        if (time is not null) collection.AddSingleton(time);
        if (forced is not null) collection.AddSingleton(forced);
        if (limit is not null) collection.AddSingleton(limit);
        services = collection.AddFunctionApp(appFolder, environment).BuildServiceProvider();
    }

    public Watchdog Watchdog => services.GetRequiredService<Watchdog>();

    public FailureJournal Journal => services.GetRequiredService<PipelineStream>().Failures;

    public Task<bool> PrepareTopicAsync() => services.GetRequiredService<FunctionsTopic>().PrepareAsync();

    /// <summary>A function, made as for one call.</summary>
    public T Create<T>() => ActivatorUtilities.CreateInstance<T>(services);

    public Task TickAsync(CancellationToken cancellationToken) =>
        LateAnswers.AskAgainAsync(() => CauseAsync(Create<PostgresToKafkaFunction>().RunAsync(new TimerInfo(), cancellationToken)));

    public Task DeliverAsync(KafkaRecord[] records, CancellationToken cancellationToken) =>
        LateAnswers.AskAgainAsync(() => CauseAsync(Create<KafkaToLakeFunction>().RunAsync(records, cancellationToken)));

    public ValueTask DisposeAsync() => services.DisposeAsync();

    /// <summary>What the platform is told is less than a test asks for.</summary>
    private static async Task CauseAsync(Task run)
    {
        try
        {
            await run;
        }
        catch (FailedRunException e)
        {
            ExceptionDispatchInfo.Throw(e.Cause);
        }
    }
}
