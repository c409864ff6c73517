using System.Diagnostics;
using System.Globalization;
using OrdersStream.Demo.Servers;

namespace OrdersStream.TestKit.Programs;

/// <summary>A program while it runs; it ends with this at the latest.</summary>
public sealed class RunningProgram : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    private readonly Process process;
    private readonly Task<string> errors;
    private readonly DirectoryInfo? folder;

    /// <param name="start">What to start; its output is read by this.</param>
    /// <param name="folder">A folder that is deleted when the program has ended.</param>
    public RunningProgram(ProcessStartInfo start, DirectoryInfo? folder = null)
    {
        start.RedirectStandardOutput = start.RedirectStandardError = true;
        process = Process.Start(start)!;
        this.folder = folder;
        errors = process.StandardError.ReadToEndAsync();
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Its process id.</summary>
    public int Id => process.Id;

    /// <summary>Whether it has ended, by itself or not.</summary>
    public bool HasExited => process.HasExited;

    /// <summary>The next line of its output.</summary>
    /// <exception cref="InvalidOperationException">There is none: it has ended.</exception>
    public async Task<string> ReadLineAsync()
    {
        if (await process.StandardOutput.ReadLineAsync(Cancellation).AsTask().WaitAsync(Patience, Cancellation) is { } line) return line;
        await process.WaitForExitAsync(Cancellation).WaitAsync(Patience, Cancellation);
        throw new InvalidOperationException($"it ended with {process.ExitCode}\n{await errors}");
    }

    /// <summary>Reads on until a line holds these words.</summary>
    public Task UntilSaidAsync(string words)
    {
        return ReadAsync().WaitAsync(Patience, Cancellation);

        async Task ReadAsync()
        {
            while (!(await ReadLineAsync()).Contains(words, StringComparison.Ordinal)) { }
        }
    }

    /// <param name="signal">Its name without SIG.</param>
    public async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", process.Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync(Cancellation);
    }

    /// <summary>Waits for the end.</summary>
    /// <returns>What it said on its error stream, and then since the last line that was read.</returns>
    public async Task<ChildResult> EndAsync(TimeSpan? patience = null)
    {
        var output = process.StandardOutput.ReadToEndAsync(Cancellation);
        await process.WaitForExitAsync(Cancellation).WaitAsync(patience ?? Patience, Cancellation);
        return new ChildResult(process.ExitCode, await errors + await output);
    }

    public void Dispose()
    {
        if (!process.HasExited)
        {
            process.Kill();
            process.WaitForExit();
        }
        process.Dispose();
        folder?.Delete(recursive: true);
    }
}
