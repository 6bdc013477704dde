// Looks at the hub's pages with a real browser, as a person does: without a script
// of the page's own, in both languages, on a wide and a narrow screen. Prints what
// it saw as JSON.
//
//   node look.cjs CHROMIUM URL PACKAGE SCREENSHOTS

const { chromium } = require('playwright-core');
const axe = require.resolve('axe-core/axe.min.js');

const [executablePath, url, file, shots] = process.argv.slice(2);

async function main() {
  const browser = await chromium.launch({
    executablePath, args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-sync'],
  });
  const seen = { console: [], requests: [], pages: [] };

  // Under the page's own policy, and without JavaScript.
  const strict = await browser.newContext({ ignoreHTTPSErrors: true, javaScriptEnabled: false, locale: 'vi-VN' });
  const page = await strict.newPage();
  page.on('console', m => seen.console.push(m.text()));
  page.on('request', r => seen.requests.push(`${r.method()} ${new URL(r.url()).pathname}`));
  await page.goto(url + '/validate');
  seen.styled = (await page.locator('form').evaluate(e => getComputedStyle(e).borderTopWidth)) !== '0px';
  await page.getByLabel('Tệp gói tin (.edxml)').setInputFiles(file);
  await page.getByRole('button', { name: 'Kiểm tra' }).click();
  await page.getByRole('status').waitFor();
  seen.result = await page.getByRole('status').innerText();
  seen.rows = await page.getByRole('table', { name: 'Những điểm tìm thấy' }).getByRole('rowheader').allInnerTexts();
  await page.screenshot({ path: shots + '/result.png', fullPage: true });
  await page.getByRole('rowheader', { name: 'date-form' }).getByRole('link').click();
  await page.waitForURL(/\/rules\?lang=vi#date-form$/);
  seen.rule = await page.getByRole('heading', { name: 'date-form', exact: true }).innerText();
  await page.screenshot({ path: shots + '/rules.png' });
  await page.getByRole('link', { name: 'English' }).click();
  await page.getByRole('heading', { name: 'Rules of edXML packages' }).waitFor();
  seen.english = await page.locator('html').getAttribute('lang');
  await page.keyboard.press('Tab');
  seen.firstFocus = await page.locator(':focus').innerText();

  // Judged by axe, which needs scripts that the policy forbids.
  for (const [width, scheme] of [[1280, 'light'], [375, 'dark']]) {
    const loose = await browser.newContext({ ignoreHTTPSErrors: true, bypassCSP: true, viewport: { width, height: 800 }, colorScheme: scheme });
    const judged = await loose.newPage();
    const judge = async name => {
      await judged.addScriptTag({ path: axe });
      const found = await judged.evaluate(() => axe.run());
      const wide = await judged.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
      seen.pages.push({ name: `${name} ${width} ${scheme}`, wide, violations: found.violations.map(v => `${v.id}: ${v.nodes[0].html}`) });
      await judged.screenshot({ path: `${shots}/${name}-${width}.png`, fullPage: name !== 'rules' });
    };
    await judged.goto(url + '/validate?lang=en');
    await judge('validate');
    await judged.getByLabel('Package file (.edxml)').setInputFiles(file);
    await judged.getByRole('button', { name: 'Validate' }).click();
    await judged.getByRole('status').waitFor();
    await judge('result');
    await judged.goto(url + '/rules');
    await judge('rules');
    await loose.close();
  }
  await browser.close();
  console.log(JSON.stringify(seen));
}

main().catch(err => { console.error(err); process.exit(1); });
