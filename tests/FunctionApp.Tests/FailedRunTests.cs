using Microsoft.Azure.Functions.Worker;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OrdersStream.Durable;
using OrdersStream.Hosting.Functions;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.FunctionApp.Tests;

/// <summary>What the host is told of a run that failed: it prints all of it, more than once, at each run.</summary>
public sealed class FailedRunTests(PostgresServer postgres, KafkaServer kafka)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task a_failed_run_is_one_line_for_the_host_and_its_trace_stands_in_the_log_once()
    {
        await using var app = await AppStream.CreateAsync(postgres, kafka, 10);
        await app.Stream.ExecuteAsync("ALTER TABLE items RENAME TO elsewhere");
        var function = app.NewWorker().Create<PostgresToKafkaFunction>();

        for (var tick = 0; tick < 3; tick++)
        {
            AssertOneLine(await Assert.ThrowsAsync<FailedRunException>(() => function.RunAsync(new TimerInfo(), Cancellation)));
            // The server ends a session a moment after it was closed.
            await app.Stream.UntilNobodyPollsAsync();
        }

        var line = Assert.Single(app.Stream.Log.Lines, l => l.Message.Contains("   at OrdersStream", StringComparison.Ordinal));
        Assert.Equal(9004, line.Id);
    }

    [Fact]
    public async Task a_batch_that_the_host_breaks_off_is_one_line_too()
    {
        await using var app = await AppStream.CreateAsync(postgres, kafka, 10);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var worker = app.NewWorker(point => { if (point == CrashPoint.DataFileWritten) stop.Cancel(); });
        await worker.TickAsync(Cancellation);
        var records = app.Records();

        AssertOneLine(await Assert.ThrowsAsync<StoppedRunException>(
            () => worker.Create<KafkaToLakeFunction>().RunAsync(records, stop.Token)));

        Assert.DoesNotContain(app.Stream.Log.Lines, l => l.Message.Contains("   at ", StringComparison.Ordinal));
    }

    [Fact]
    public void the_workers_own_account_of_a_failed_run_is_left_out()
    {
        // Where the worker logs "An exception was thrown by the invocation".
        var category = typeof(FunctionContext).Assembly.GetType(
            "Microsoft.Azure.Functions.Worker.FunctionsApplication", throwOnError: true)!;
        using var host = Program.Build(
            [], Path.Combine(Repository.Root, "FunctionApp"), ShippedFiles.LocalSettings(), TextWriter.Null);
        var loggers = host.Services.GetRequiredService<ILoggerFactory>();
        Assert.False(loggers.CreateLogger(category.FullName!).IsEnabled(LogLevel.Critical));
        Assert.True(loggers.CreateLogger("OrdersStream.PostgresToKafka").IsEnabled(LogLevel.Information));
    }

    [Fact]
    public void what_is_logged_beside_the_runs_is_printed_and_what_is_logged_in_one_is_not()
    {
        using var console = new StringWriter { NewLine = "\n" };
        using var host = Program.Build([], Path.Combine(Repository.Root, "FunctionApp"), ShippedFiles.LocalSettings(), console);
        var logger = host.Services.GetRequiredService<ILoggerFactory>().CreateLogger("OrdersStream.Audit");

        logger.LogInformation("rows were compared");
        logger.LogWarning("lake and table differ");
        using (host.Services.GetRequiredService<Watchdog>().Run()) logger.LogWarning("the host shows this one by itself");
        host.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Microsoft.Hosting").LogWarning("not ours");

        Assert.Equal("rows were compared\nwarning: lake and table differ\n", console.ToString());
        Assert.Equal(
            [LogLevel.Information, LogLevel.Warning],
            console.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(HostConsole.LevelOf));
    }

    [Fact]
    public async Task a_folder_that_cannot_be_written_is_behind_the_topic_once()
    {
        var isReadOnly = false;
        await using var app = await AppStream.CreateAsync(postgres, kafka, 10);
        var worker = app.NewWorker(point =>
        {
            if (isReadOnly && point == CrashPoint.StateFileSynced) throw new IOException("the folder is read-only");
        });
        await worker.TickAsync(Cancellation);
        for (var round = 1; round <= 2; round++)
        {
            isReadOnly = true;
            for (var tick = 0; tick < 3; tick++)
            {
                await app.InsertAsync(1_000 * round + 10 * tick, 10);
                await Assert.ThrowsAsync<IOException>(() => worker.TickAsync(Cancellation));
                // The server ends a session a moment after it was closed.
                await app.Stream.UntilNobodyPollsAsync();
            }
            isReadOnly = false;
            await app.InsertAsync(1_000 * round + 100, 10);
            await worker.TickAsync(Cancellation);
            Assert.Equal(round, app.Stream.Log.Lines.Count(l => l.Id == 2002));
        }
    }

    private static void AssertOneLine(Exception told)
    {
        Assert.DoesNotContain('\n', told.ToString());
        Assert.Null(told.StackTrace);
        // It would be printed, too, and one that was cancelled be taken for a run that was.
        Assert.Null(told.InnerException);
        Assert.DoesNotContain("   at ", told.ToString(), StringComparison.Ordinal);
    }
}
