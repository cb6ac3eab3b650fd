namespace FuncScaler.SlotBackends.Http;

/// <summary>How the scaler calls instances. They are strangers: they may not lead it elsewhere, leave anything with it, or talk for ever.</summary>
internal static class InstanceHttp
{
    /// <summary>The most bytes of an answer that are read and thrown away, so that the connection can be used again.</summary>
    private const int Drained = 4096;

    private const int HeadersKb = 16;

    /// <summary>Makes a client without a time-out of its own: whoever calls gives one with each call.</summary>
    public static HttpMessageInvoker Make() => new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        ConnectTimeout = TimeSpan.FromSeconds(2),
        MaxResponseDrainSize = Drained,
        MaxResponseHeadersLength = HeadersKb,
        ResponseDrainTimeout = TimeSpan.FromSeconds(1),
        UseCookies = false,
        UseProxy = false,
    });
}
