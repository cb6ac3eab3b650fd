namespace FuncScaler.Samples.Gateway;

/// <summary>Where a request is forwarded to: always the instance that the scaler gave, whatever its caller wrote into the path.</summary>
internal static class InstanceUri
{
    /// <param name="instance">The instance's address.</param>
    /// <param name="path">What follows the function's name, without its first slash, decoded. It may begin with slashes, hold a host, or anything else.</param>
    /// <param name="query">The query, as the caller wrote it.</param>
    /// <returns>Null when there is no such address at that instance.</returns>
    public static Uri? Make(Uri instance, string path, QueryString query)
    {
        // Written behind scheme, host and port, not resolved against them: a path that begins with two slashes would name another host then.
        var text = instance.GetLeftPart(UriPartial.Authority) + new PathString("/" + path).ToUriComponent() + query.ToUriComponent();
        return Uri.TryCreate(text, UriKind.Absolute, out var uri)
            && uri.Scheme == instance.Scheme
            && uri.Authority == instance.Authority
            && uri.UserInfo.Length == 0
                ? uri
                : null;
    }
}
