using System.Collections.Concurrent;
using Microsoft.Playwright;
using OrdersStream.TestKit;

namespace OrdersStream.Site.Tests;

/// <summary>A page in the browser; what it asks for and complains about is kept.</summary>
public sealed class WatchedPage : IAsyncDisposable
{
    private WatchedPage(IPage page) => Page = page;

    public IPage Page { get; }

    public ConcurrentQueue<string> Requests { get; } = [];

    /// <summary>Errors and warnings of the console, uncaught errors, dialogs.</summary>
    public ConcurrentQueue<string> Complaints { get; } = [];

    public static async Task<WatchedPage> OpenAsync(IBrowser browser, Uri address, BrowserNewPageOptions options)
    {
        var watched = new WatchedPage(await browser.NewPageAsync(options));
        watched.Page.SetDefaultTimeout((float)Waiting.Patience.TotalMilliseconds);
        watched.Page.Request += (_, request) => watched.Requests.Enqueue(request.Url);
        watched.Page.PageError += (_, error) => watched.Complaints.Enqueue(error);
        watched.Page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning") watched.Complaints.Enqueue(message.Text);
        };
        watched.Page.Dialog += (_, dialog) =>
        {
            watched.Complaints.Enqueue($"dialog: {dialog.Message}");
            _ = dialog.DismissAsync();
        };
        await watched.Page.GotoAsync(address.ToString());
        return watched;
    }

    public Task<string?> TextAsync(string id) => Page.Locator($"#{id}").TextContentAsync();

    /// <summary>Waits until an element says this.</summary>
    public Task SaysAsync(string id, string text) =>
        Page.WaitForFunctionAsync("([id, text]) => document.getElementById(id).textContent.includes(text)", new[] { id, text });

    /// <summary>Waits until a status was shown.</summary>
    public Task ShownAsync() => Page.WaitForFunctionAsync("() => document.getElementById('freshness').textContent !== ''");

    public async ValueTask DisposeAsync() => await Page.Context.CloseAsync();
}
