using System.ComponentModel;
using System.Diagnostics;
using System.Text;

namespace OrdersStream.Demo.Servers;

/// <summary>How a child program ended, and what it said on both streams.</summary>
public sealed record ChildResult(int ExitCode, string Output);

/// <summary>Runs one short-lived program to its end.</summary>
public static class ChildProgram
{
    /// <summary>
    /// Null when the program cannot be started at all. Variables that steer Postgres' programs from outside (PGPORT, PGDATA, ...)
    /// are not passed on, and messages come in English.
    /// </summary>
    public static async Task<ChildResult?> TryRunAsync(
        IReadOnlyList<string> command, string? workingDirectory, CancellationToken cancellationToken)
    {
        using var process = new Process { StartInfo = StartInfo(command, workingDirectory) };
        var output = new StringBuilder();
        void Collect(object _, DataReceivedEventArgs line)
        {
            if (line.Data is null) return;
            lock (output) output.AppendLine(line.Data);
        }
        process.OutputDataReceived += Collect;
        process.ErrorDataReceived += Collect;
        try
        {
            process.Start();
        }
        catch (Win32Exception)
        {
            return null;
        }
        process.StandardInput.Close();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        try
        {
            await process.WaitForExitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            KillTree(process);
            // It may write into its folder until it is gone.
            await process.WaitForExitAsync(CancellationToken.None);
            throw;
        }
        lock (output) return new ChildResult(process.ExitCode, output.ToString().Trim());
    }

    /// <summary>The start of any child that belongs to Postgres.</summary>
    public static ProcessStartInfo StartInfo(IReadOnlyList<string> command, string? workingDirectory)
    {
        var start = new ProcessStartInfo(command[0], command.Skip(1))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            CreateNoWindow = true,
            WorkingDirectory = workingDirectory ?? "",
        };
        foreach (var name in start.Environment.Keys.Where(n => n.StartsWith("PG", StringComparison.Ordinal)).ToList())
            start.Environment.Remove(name);
        start.Environment["LC_ALL"] = "C";
        return start;
    }

    private static void KillTree(Process process)
    {
        try
        {
            process.Kill(entireProcessTree: true);
        }
        catch (Exception e) when (e is InvalidOperationException or Win32Exception)
        {
            // It ended by itself meanwhile.
        }
    }
}
