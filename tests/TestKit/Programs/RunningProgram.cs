using System.Diagnostics;
using System.Globalization;
using OrdersStream.Demo.Servers;

namespace OrdersStream.TestKit.Programs;

/// <summary>A program while it runs; it ends with this at the latest.</summary>
public sealed class RunningProgram : IDisposable
{
    private readonly Process process;
    private readonly Task<string> errors;
    private readonly TestFolder? folder;

    /// <param name="start">What to start; its output is read by this.</param>
    /// <param name="folder">A folder that is deleted when the program has ended.</param>
    public RunningProgram(ProcessStartInfo start, TestFolder? folder = null)
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
        if (await process.StandardOutput.ReadLineAsync(Cancellation).AsTask().WithPatienceAsync("its next line") is { } line) return line;
        await process.WaitForExitAsync(Cancellation).WithPatienceAsync("its end");
        throw new InvalidOperationException($"it ended with {process.ExitCode}\n{await errors}");
    }

    /// <summary>Reads on until a line holds these words; each line that comes is a reason to go on waiting.</summary>
    public Task UntilSaidAsync(string words)
    {
        return ReadAsync().WithPatienceAsync($"a line with '{words}'", Waiting.PatienceMax);

        async Task ReadAsync()
        {
            while (!(await ReadLineAsync()).Contains(words, StringComparison.Ordinal)) { }
        }
    }

    /// <summary>Types into it; its input must be redirected.</summary>
    public async Task TypeAsync(string keys)
    {
        await process.StandardInput.WriteAsync(keys.AsMemory(), Cancellation);
        await process.StandardInput.FlushAsync(Cancellation);
    }

    /// <param name="signal">Its name without SIG.</param>
    public async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", process.Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync(Cancellation);
    }

    /// <summary>SIGSTOP: on return it does nothing more.</summary>
    public void Stop()
    {
        using var kill = Process.Start("kill", ["-STOP", process.Id.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    /// <summary>SIGKILL, and waits for the end: nothing in it is run any more.</summary>
    public async Task KillAsync()
    {
        process.Kill();
        await process.WaitForExitAsync(Cancellation).WithPatienceAsync("the end of a process that was killed");
    }

    /// <summary>Waits for the end.</summary>
    /// <param name="patience">How long; null: until it is certain that it hangs.</param>
    /// <returns>What it said on its error stream, and then since the last line that was read.</returns>
    public async Task<ChildResult> EndAsync(TimeSpan? patience = null)
    {
        var (exitCode, output, error) = await EndApartAsync(patience);
        return new ChildResult(exitCode, error + output);
    }

    /// <inheritdoc cref="EndAsync"/>
    /// <returns>What it said since the last line that was read, and what it said on its error stream.</returns>
    public async Task<(int ExitCode, string Output, string Error)> EndApartAsync(TimeSpan? patience = null)
    {
        var output = process.StandardOutput.ReadToEndAsync(Cancellation);
        await process.WaitForExitAsync(Cancellation).WithPatienceAsync("the program's end", patience);
        return (process.ExitCode, await output, await errors);
    }

    public void Dispose()
    {
        if (!process.HasExited)
        {
            process.Kill();
            process.WaitForExit();
        }
        process.Dispose();
        folder?.Dispose();
    }
}
