namespace OrdersStream.Site.Tests;

/// <summary>What the page shows of a given status, in a real browser.</summary>
public sealed class PageTests(Browser browser)
{
    [Fact]
    public async Task all_is_well_is_said_in_a_word_with_rates_lags_and_files()
    {
        await using var served = await ServedStatus.StartAsync(() => Statuses.Well());
        await using var watched = await browser.OpenAsync(served.Address);
        await watched.SaysAsync("health-word", "All is well");
        Assert.Equal(
            ("842", "2.1 s behind", "838", "4.2 s behind · 3,994 records waiting", "1,234,567 rows"),
            (
                await watched.TextAsync("published-rate"), await watched.TextAsync("capture-lag"), await watched.TextAsync("stored-rate"),
                await watched.TextAsync("lake-lag"), await watched.TextAsync("lake-rows")));
        Assert.Equal(("running", "running"), (await watched.TextAsync("capture-half"), await watched.TextAsync("lake-half")));
        Assert.Contains("as the process itself has seen it", await watched.TextAsync("seen-by"));
        Assert.Contains("Nothing: no problem", await watched.TextAsync("no-findings"));
        Assert.Equal(
            (4, 10),
            (await watched.Page.Locator("#partitions tbody tr").CountAsync(), await watched.Page.Locator("#files tbody tr").CountAsync()));
        Assert.Contains("44.6 KiB", await watched.TextAsync("files"));
        Assert.Contains("session 815", await watched.TextAsync("capture"));
        NothingWentElsewhere(watched, served.Address);
    }

    [Fact]
    public async Task a_finding_comes_with_its_remedy_and_what_is_not_known_is_no_zero()
    {
        await using var served = await ServedStatus.StartAsync(Statuses.Wrong);
        await using var watched = await browser.OpenAsync(served.Address);
        await watched.SaysAsync("health-word", "Something is wrong");
        Assert.Equal(
            ("not reachable", "lag not known", "initial load not done"),
            (await watched.TextAsync("topic-state"), await watched.TextAsync("lake-lag"), await watched.TextAsync("capture-lag")));
        Assert.Equal(("tries again", "not written"), (await watched.TextAsync("lake-half"), await watched.TextAsync("lake-state")));
        Assert.Equal("initial load · 50 % · 2 min left", await watched.TextAsync("capture-now"));
        Assert.Equal(0.5, await watched.Page.Locator("#window-progress").EvaluateAsync<double>("p => p.value"));
        var findings = await watched.Page.Locator("#findings li").AllTextContentsAsync();
        Assert.Equal(4, findings.Count);
        Assert.StartsWith("problemKafka failed", findings[0]);
        Assert.Contains("Check kafka.brokers and that the brokers run.19 times since 11:58:00", findings[1]);
        Assert.StartsWith("warningno index", findings[2]);
        Assert.EndsWith("it works again", findings[3]);
        Assert.Equal(
            ["2amount is no number", "1the value is no JSON object"], await watched.Page.Locator("#causes li").AllTextContentsAsync());
        Assert.Equal("–", await watched.Page.Locator("#partitions tbody tr td").Nth(1).TextContentAsync());
        Assert.StartsWith("Something is wrong", await watched.Page.TitleAsync());
    }

    [Fact]
    public async Task what_nobody_does_is_said_in_a_word_and_with_its_remedy()
    {
        await using var served = await ServedStatus.StartAsync(Statuses.Abandoned);
        await using var watched = await browser.OpenAsync(served.Address);
        await watched.SaysAsync("health-word", "Something is wrong");
        Assert.Equal(
            ("nobody runs it", "nobody runs it"), (await watched.TextAsync("capture-half"), await watched.TextAsync("lake-half")));
        Assert.Equal(
            ["problemKafkaToLake: says what it is at", "unknownPostgresToKafka: says what it is at"],
            await watched.Page.Locator("#findings li").AllTextContentsAsync());
        Assert.True(await watched.Page.Locator("#no-findings").IsHiddenAsync());
        Assert.Equal(1, await watched.Page.Locator("#hop-lake.broken").CountAsync());
        Assert.Equal(1, await watched.Page.Locator("#hop-capture.idle:not(.broken)").CountAsync());
    }

    [Fact]
    public async Task rows_that_are_held_back_are_no_lag_like_another()
    {
        await using var served = await ServedStatus.StartAsync(Statuses.HeldBack);
        await using var watched = await browser.OpenAsync(served.Address);
        await watched.SaysAsync("health-word", "Something is wrong");
        Assert.Equal("rows held back for 10 min", await watched.TextAsync("capture-lag"));
        var facts = await watched.TextAsync("capture");
        Assert.Contains("Held backrows committed since 11:50:00 · behind prepared for 12 min · since 11:48:00", facts);
        Assert.Contains("Hidden transactionsession 77 · subscriber · there for 3 min", facts);
    }

    [Theory]
    [InlineData("<img src=x onerror=alert(1)>")]
    [InlineData("</td></table><script>alert(1)</script><svg onload=alert(1)>")]
    [InlineData("\"><a href=javascript:alert(1) onfocus=alert(1) autofocus>")]
    public async Task markup_in_a_text_from_elsewhere_stays_text(string markup)
    {
        await using var served = await ServedStatus.StartAsync(() => Statuses.WithMarkup(markup));
        await using var watched = await browser.OpenAsync(served.Address);
        await watched.SaysAsync("source-table", markup);
        Assert.Contains(markup, await watched.TextAsync("findings"));
        Assert.Contains(markup, await watched.TextAsync("files"));
        Assert.Contains(markup, await watched.TextAsync("causes"));
        Assert.Equal(
            0,
            await watched.Page.Locator(
                "img, script:not([src='status.js']), [onerror], [onload], [onfocus], a[href^=javascript], "
                + "svg:not(.plot svg)").CountAsync());
        NothingWentElsewhere(watched, served.Address);
    }

    [Fact]
    public async Task a_lost_contact_is_said_and_mends_itself()
    {
        var rows = 1_000L;
        await using var served = await ServedStatus.StartAsync(() => Statuses.Well(rows));
        await using var watched = await browser.OpenAsync(served.Address);
        await watched.SaysAsync("lake-rows", "1,000 rows");
        Assert.True(await watched.Page.Locator("#contact").IsHiddenAsync());

        await served.StopAsync();
        await watched.SaysAsync("health-word", "Contact lost");
        Assert.Matches(
            @"Contact lost at \d\d:\d\d:\d\d UTC, \d+ s ago\. What is shown is from 12:00:00\.", await watched.TextAsync("contact"));
        await watched.SaysAsync("announce", "Contact lost");

        rows = 2_000;
        await served.StartAgainAsync();
        await watched.SaysAsync("lake-rows", "2,000 rows");
        await watched.SaysAsync("health-word", "All is well");
        Assert.True(await watched.Page.Locator("#contact").IsHiddenAsync());
    }

    [Fact]
    public async Task a_page_that_nobody_looks_at_does_not_ask()
    {
        var asked = 0;
        await using var served = await ServedStatus.StartAsync(() => Statuses.Well(Interlocked.Increment(ref asked)));
        await using var watched = await browser.OpenAsync(served.Address);
        await watched.ShownAsync();
        await watched.Page.EvaluateAsync(
            "() => { Object.defineProperty(document, 'hidden', { value: true, configurable: true }); "
            + "document.dispatchEvent(new Event('visibilitychange')); }");
        var before = Asked(watched);
        // Longer than two of its periods.
        await watched.Page.WaitForTimeoutAsync(4_500);
        Assert.InRange(Asked(watched), before, before + 1);
        await watched.Page.EvaluateAsync(
            "() => { Object.defineProperty(document, 'hidden', { value: false, configurable: true }); "
            + "document.dispatchEvent(new Event('visibilitychange')); }");
        await watched.SaysAsync("health-word", "All is well");
        Assert.True(await watched.Page.Locator("#contact").IsHiddenAsync());

        static int Asked(WatchedPage page) => page.Requests.Count(r => r.EndsWith("/api/status", StringComparison.Ordinal));
    }

    /// <summary>The console tells of each request that fails, which the tests of a lost contact make fail on purpose.</summary>
    internal static void NothingWentElsewhere(WatchedPage watched, Uri address)
    {
        Assert.All(watched.Requests, request => Assert.StartsWith(address.ToString(), request));
        Assert.Empty(watched.Complaints);
    }
}
