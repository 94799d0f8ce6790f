// Command screenshots takes pictures of the dashboard of a running service with Chromium.
//
//	go run ./scripts/screenshots -url http://127.0.0.1:7480 -token-file edrpipe-data/admin.token -dir pictures / /jobs /rules
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// camera is how pictures are taken of which service.
type camera struct {
	url, token, dir, chromium string
	width, height             int64
	scheme                    string
	whole                     bool
}

func main() {
	var c camera
	var tokenFile string
	flag.StringVar(&c.url, "url", "http://127.0.0.1:7480", "address of the service")
	flag.StringVar(&tokenFile, "token-file", "edrpipe-data/admin.token", "file with the token of a user")
	flag.StringVar(&c.dir, "dir", ".", "directory for the pictures")
	flag.StringVar(&c.chromium, "chromium", "chromium", "the browser")
	flag.Int64Var(&c.width, "width", 1280, "width of the window in pixels")
	flag.Int64Var(&c.height, "height", 844, "height of the window in pixels")
	flag.StringVar(&c.scheme, "scheme", "light", "light or dark")
	flag.BoolVar(&c.whole, "whole", true, "the whole page, not only what fits into the window")
	flag.Parse()
	token, err := os.ReadFile(tokenFile)
	if c.token = strings.TrimSpace(string(token)); err == nil {
		err = c.shoot(context.Background(), flag.Args())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "screenshots:", err)
		os.Exit(1)
	}
}

// shoot logs in and takes a picture of each page, named by the page's address.
func (c camera) shoot(ctx context.Context, pages []string) error {
	if len(pages) == 0 {
		return errors.New("name the pages, such as / /jobs")
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	ctx, stop := chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(c.chromium), chromedp.NoSandbox)...)
	defer stop()
	ctx, closeTab := chromedp.NewContext(ctx)
	defer closeTab()
	if err := chromedp.Do(ctx, chromedp.Navigate(c.url), chromedp.SendKeys("#token", c.token)); err != nil {
		return fmt.Errorf("open %s: %w", c.url, err)
	}
	if _, err := chromedp.RunResponse(ctx, chromedp.Click("form[action='/login'] button")); err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	for _, page := range pages {
		if err := c.page(ctx, page); err != nil {
			return fmt.Errorf("%s: %w", page, err)
		}
	}
	return nil
}

// page goes to a page by its name, as a link does, and takes its picture.
func (c camera) page(ctx context.Context, page string) error {
	look := chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		if _, err := chromedp.EmulateViewport(c.width, c.height)(ctx, target); err != nil {
			return err
		}
		scheme := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: c.scheme}}}
		if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, scheme); err != nil {
			return err
		}
		if _, err := chromedp.Evaluate[string](fmt.Sprintf("location.hash = %q", page))(ctx, target); err != nil {
			return err
		}
		_, err := chromedp.Poll[bool](fmt.Sprintf("document.getElementById('main').dataset.page === %q", "#"+page))(ctx, target)
		return err
	})
	if err := chromedp.Do(ctx, look); err != nil {
		return err
	}
	take := chromedp.CaptureScreenshot()
	if c.whole {
		take = chromedp.FullScreenshot(100)
	}
	picture, err := chromedp.Run(ctx, take)
	if err != nil {
		return err
	}
	name := strings.NewReplacer("/", "-", "?", "-", "%2F", "-").Replace(strings.Trim(page, "/"))
	return os.WriteFile(filepath.Join(c.dir, cmp.Or(name, "overview")+"-"+c.scheme+".png"), picture, 0o644) //nolint:gosec // a picture for everybody
}
