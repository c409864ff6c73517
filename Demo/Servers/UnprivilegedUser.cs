namespace OrdersStream.Demo.Servers;

/// <summary>
/// Whom a server runs as when we are root, which Postgres refuses: <c>postgres</c> where there is such a user, else <c>nobody</c>.
/// </summary>
public sealed record UnprivilegedUser(string Name, int UserId, int GroupId)
{
    private string[] prefix = [];

    /// <summary>Null when we are not root and a server can run as ourselves.</summary>
    public static async Task<UnprivilegedUser?> ForRootAsync(CancellationToken cancellationToken)
    {
        if (OperatingSystem.IsWindows() || !Environment.IsPrivilegedProcess) return null;
        var user = FromPasswd(await File.ReadAllLinesAsync("/etc/passwd", cancellationToken))
            ?? throw new LocalPostgresException(
                "Postgres refuses to run as root, and /etc/passwd lists neither 'postgres' nor 'nobody' to run it as.",
                "Run this program as an ordinary user.");
        foreach (var prefix in user.Prefixes())
        {
            if (await ChildProgram.TryRunAsync([.. prefix, "true"], "/", cancellationToken) is { ExitCode: 0 })
                return user with { prefix = prefix };
        }
        throw new LocalPostgresException(
            "Postgres refuses to run as root, and none of setpriv, runuser and su could start it as another user.",
            "Run this program as an ordinary user.");
    }

    /// <summary>The same command, run as this user.</summary>
    public IReadOnlyList<string> Command(IEnumerable<string> command) => [.. prefix, .. command];

    /// <summary>Makes the user own a folder and what is in it.</summary>
    public async Task OwnAsync(string directory, CancellationToken cancellationToken)
    {
        var answer = await ChildProgram.TryRunAsync(["chown", "-R", $"{UserId}:{GroupId}", directory], null, cancellationToken);
        if (answer is not { ExitCode: 0 })
            throw new LocalPostgresException(
                $"could not give the folder {directory} to the user {Name}: {answer?.Output}", "Run this program as an ordinary user.");
    }

    internal static UnprivilegedUser? FromPasswd(IEnumerable<string> lines)
    {
        var users = lines.Select(l => l.Split(':')).Where(f => f.Length >= 4).ToLookup(f => f[0]);
        foreach (var name in new[] { "postgres", "nobody" })
            if (users[name].FirstOrDefault() is { } f && int.TryParse(f[2], out var uid) && int.TryParse(f[3], out var gid))
                return new UnprivilegedUser(name, uid, gid);
        return null;
    }

    private IEnumerable<string[]> Prefixes()
    {
        yield return ["setpriv", $"--reuid={UserId}", $"--regid={GroupId}", "--clear-groups", "--"];
        yield return ["runuser", "-u", Name, "--"];
        // The command's words arrive as $0, $1, ...: no quoting to get wrong.
        yield return ["su", Name, "-s", "/bin/sh", "-c", "exec \"$0\" \"$@\"", "--"];
    }
}
