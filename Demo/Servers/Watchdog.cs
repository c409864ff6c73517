using System.ComponentModel;
using System.Diagnostics;

namespace OrdersStream.Demo.Servers;

/// <summary>
/// Nothing is left behind even by <c>kill -9</c>: a shell waits on a pipe that only we hold. A line means that we clean up ourselves;
/// end of file means that we are gone, and then it stops the server and removes the folder. It ignores Ctrl+C, which reaches it too.
/// On Windows there is none: the next start removes what a killed run left.
/// </summary>
public sealed class Watchdog : IDisposable
{
    private const string Script = """
        trap '' INT TERM HUP QUIT
        read -r line && exit 0
        server() { head -n 1 "$1/data/postmaster.pid" 2>/dev/null; }
        id=$(server "$1")
        if [ -n "$id" ]; then
          kill -INT "$id" 2>/dev/null
          n=0
          while kill -0 "$id" 2>/dev/null && [ $n -lt 50 ]; do sleep 0.1; n=$((n+1)); done
          [ -e "$1/data/postmaster.pid" ] && kill -QUIT "$id" 2>/dev/null
        fi
        rm -rf "$1"
        """;

    private readonly Process? shell;

    private Watchdog(Process? shell) => this.shell = shell;

    public static Watchdog Over(ServerFolder folder)
    {
        if (OperatingSystem.IsWindows()) return new Watchdog(null);
        var start = ChildProgram.StartInfo(["/bin/sh", "-c", Script, "orders-stream-watchdog", folder.Root], "/");
        start.RedirectStandardOutput = false;
        start.RedirectStandardError = false;
        try
        {
            return new Watchdog(Process.Start(start));
        }
        catch (Win32Exception)
        {
            return new Watchdog(null);
        }
    }

    /// <summary>Lets it go: the folder is ours to clean.</summary>
    public void Dispose()
    {
        if (shell is null) return;
        try
        {
            shell.StandardInput.WriteLine("done");
            shell.StandardInput.Close();
            shell.WaitForExit(TimeSpan.FromSeconds(5));
        }
        catch (IOException)
        {
            // It is gone already.
        }
        shell.Dispose();
    }
}
