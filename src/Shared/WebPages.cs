namespace FuncScaler;

/// <summary>Tells requests that a web page makes a browser send from those of programs. A page may otherwise call what listens on the machine that shows it.</summary>
public static class WebPages
{
    /// <summary>Why a request is refused; null where it is welcome.</summary>
    /// <param name="origin">The header Origin; empty where there is none.</param>
    /// <param name="fetchSite">The header Sec-Fetch-Site of a request that may change something; empty where there is none.</param>
    /// <param name="host">The header Host; empty where there is none.</param>
    /// <param name="loopbackOnly">Whether only this machine is listened to: a page could then get here by a name of its own that points here.</param>
    /// <param name="whose">What is called, for the message, for example "scaler".</param>
    public static string? Refusal(string origin, string fetchSite, string host, bool loopbackOnly, string whose)
    {
        ArgumentNullException.ThrowIfNull(origin);
        ArgumentNullException.ThrowIfNull(fetchSite);
        ArgumentNullException.ThrowIfNull(host);
        if (origin.Length > 0 && !(Uri.TryCreate(origin, UriKind.Absolute, out var from) && string.Equals(from.Authority, host, StringComparison.OrdinalIgnoreCase)))
        {
            return $"pages of {RemoteWords.Clean(origin, 100)} may not call this {whose}";
        }

        if (fetchSite is "cross-site" or "same-site")
        {
            return $"pages of other origins may not call this {whose}";
        }

        return loopbackOnly && host.Length > 0 && !(Uri.TryCreate($"http://{host}", UriKind.Absolute, out var here) && here.IsLoopback)
            ? $"this {whose} serves its own machine alone, which is not called {RemoteWords.Clean(host, 100)}: call it by localhost or 127.0.0.1"
            : null;
    }
}
